#pragma once
#include <mutex>
#include <shared_mutex>

namespace aeterna::retrieval {

/// A shared mutex whose writers are not starved: whoever comes after a waiting writer waits behind
/// it. Several of them must be taken in one agreed order.
class Turnstile {
  public:
    void lock() {
        const std::lock_guard entering(gate_);
        mutex_.lock();
    }
    void unlock() { mutex_.unlock(); }
    void lock_shared() {
        const std::lock_guard entering(gate_);
        mutex_.lock_shared();
    }
    void unlock_shared() { mutex_.unlock_shared(); }

  private:
    std::mutex gate_;
    std::shared_mutex mutex_;
};

}  // namespace aeterna::retrieval
