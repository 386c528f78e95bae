#pragma once
#include <functional>
#include <optional>

#include "memory/ports.hpp"
#include "storage/embedded/writer.hpp"

namespace aeterna::storage {

/// A UnitOfWork on its way through the writer.
class UnitJob final : public WriteJob {
  public:
    using Completion = std::function<void(result<memory::Committed>)>;
    UnitJob(memory::UnitOfWork work, Deadline deadline, Completion complete)
        : WriteJob(deadline, work.commands.size() + 1),
          work_(std::move(work)),
          complete_(std::move(complete)) {}

    [[nodiscard]] result<bool> apply(WriteTransaction& transaction) override;
    [[nodiscard]] bool resolve(WriteTransaction& transaction) override;
    void done(std::optional<Error> failure) noexcept override;

  private:
    [[nodiscard]] result<bool> replay(WriteTransaction& transaction);

    memory::UnitOfWork work_;
    Completion complete_;
    result<memory::Committed> answer_ = fail(Code::kInternal, "the write was never tried");
};

/// Any other write: a function in a transaction that makes a T.
template <class T>
class FunctionJob final : public WriteJob {
  public:
    using Apply = std::function<result<T>(WriteTransaction&)>;
    using Completion = std::function<void(result<T>)>;
    FunctionJob(Apply apply, Deadline deadline, Completion complete)
        : WriteJob(deadline), apply_(std::move(apply)), complete_(std::move(complete)) {}

    [[nodiscard]] result<bool> apply(WriteTransaction& transaction) override {
        if (auto begun = transaction.will_write(); !begun) return tl::unexpected(begun.error());
        answer_ = apply_(transaction);
        if (!answer_ && is_storage_failure(answer_.error())) return tl::unexpected(answer_.error());
        return answer_.has_value();
    }
    void done(std::optional<Error> failure) noexcept override {
        if (failure) answer_ = fail(std::move(*failure));
        complete_(std::move(answer_));
    }

  private:
    Apply apply_;
    Completion complete_;
    result<T> answer_ = fail(Code::kInternal, "the write was never tried");
};

}  // namespace aeterna::storage
