#include "cli/main.hpp"

int main(int argc, char** argv) {
    return aeterna::cli::run(argc, argv);
}
