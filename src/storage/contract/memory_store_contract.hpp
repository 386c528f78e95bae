#pragma once
/// Everything a store must do, whatever it is made of. An adapter's test includes this once and
/// says how it is made:
///
///     INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(MakeStore(make_sqlite)));
#include "storage/contract/harness.hpp"
#include "storage/contract/reads_contract.hpp"
#include "storage/contract/writes_contract.hpp"
