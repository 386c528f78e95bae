#pragma once
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "storage/embedded/sqlite_store.hpp"

/// For tests only.
namespace aeterna::storage {

/// A folder that goes with this.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        // In memory where there is such a place: what flushes cost is not what is tested.
        for (const auto& parent :
             {std::filesystem::path("/dev/shm"), std::filesystem::temp_directory_path()}) {
            std::string name = (parent / "aeterna-XXXXXX").string();
            if (::mkdtemp(name.data()) == nullptr) continue;
            path_ = name;
            return;
        }
        throw std::runtime_error("no folder for temporary files");
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace aeterna::storage
