# clang is the only supported compiler: g++ 12 miscompiles C++20 coroutines (docs/adr/0001-clang-only.md).
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR
    "Aeterna builds with clang 19 only: g++ 12 miscompiles coroutines (double frees in ordinary co_await "
    "expressions). Use a preset (cmake --preset release) or -DCMAKE_CXX_COMPILER=clang++-19.")
endif()
if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Aeterna needs clang 19 or newer; found ${CMAKE_CXX_COMPILER_VERSION}.")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Set by hand, alike for libraries and programs: a precompiled header serves only files with the same flags.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fPIE)
add_link_options(-pie)

option(AETERNA_TESTS "Build the unit tests" OFF)
option(AETERNA_BENCH "Build the benchmarks" OFF)
option(AETERNA_FUZZ "Build the libFuzzer targets" OFF)
set(AETERNA_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

find_program(AETERNA_CCACHE ccache)
if(AETERNA_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${AETERNA_CCACHE}")
  # pch_defines,time_macros: without them ccache refuses every file that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${AETERNA_CCACHE}")
endif()

add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wshadow;-Wnon-virtual-dtor;-Werror>")
# libstdc++ 12's own stable_sort calls a function that it has itself deprecated for C++20.
add_compile_options(-Wno-deprecated-declarations)
# clang hashes the content of what a precompiled header includes, so that ccache may share it between folders.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
add_link_options(-fuse-ld=lld -Wl,--gc-sections)
add_compile_options(-ffunction-sections -fdata-sections)
if(AETERNA_SANITIZE)
  add_compile_options(-fsanitize=${AETERNA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${AETERNA_SANITIZE})
endif()
if(AETERNA_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

function(aeterna_target_defaults target)
  if(NOT target STREQUAL "aeterna_pch")
    target_precompile_headers(${target} REUSE_FROM aeterna_pch)
  endif()
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src")
endfunction()
