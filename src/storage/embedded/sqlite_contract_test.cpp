#include "storage/contract/memory_store_contract.hpp"
#include "storage/embedded/temporary_store.hpp"

namespace aeterna::storage::contract {

namespace {

class SqliteUnderTest final : public StoreUnderTest {
  public:
    SqliteUnderTest(Runtime& runtime, memory::CommitListener* listener)
        : runtime_(runtime), listener_(listener) {
        open();
    }
    ~SqliteUnderTest() override { store_.reset(); }
    memory::MemoryStore& memories() override { return *store_; }
    security::KeyStore& keys() override { return *store_; }
    void reopen() override {
        store_.reset();
        open();
    }

  private:
    void open() {
        auto opened = SqliteStore::open({.data_dir = folder_.path() / "data"}, runtime_, listener_);
        if (!opened) throw std::runtime_error(opened.error().message);
        store_ = std::move(*opened);
    }
    Runtime& runtime_;
    memory::CommitListener* listener_;
    TemporaryFolder folder_;
    std::unique_ptr<SqliteStore> store_;
};

std::unique_ptr<StoreUnderTest> make_sqlite(Runtime& runtime, memory::CommitListener* listener) {
    return std::make_unique<SqliteUnderTest>(runtime, listener);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(MakeStore(make_sqlite)));

}  // namespace aeterna::storage::contract
