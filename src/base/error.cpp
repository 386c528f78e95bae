#include "base/error.hpp"

namespace aeterna {

const CodeTraits& traits(Code code) noexcept {
    static constexpr CodeTraits kMalformed{"malformed", false, Fault::kCaller, Effect::kNone, 400};
    static constexpr CodeTraits kUnauthenticated{"unauthenticated", false, Fault::kCaller,
                                                 Effect::kNone, 401};
    static constexpr CodeTraits kForbidden{"forbidden", false, Fault::kCaller, Effect::kNone, 403};
    static constexpr CodeTraits kNotFound{"not_found", false, Fault::kCaller, Effect::kNone, 404};
    static constexpr CodeTraits kMethodNotAllowed{"method_not_allowed", false, Fault::kCaller,
                                                  Effect::kNone, 405};
    static constexpr CodeTraits kConflict{"conflict", false, Fault::kCaller, Effect::kNone, 409};
    static constexpr CodeTraits kTooLarge{"too_large", false, Fault::kCaller, Effect::kNone, 413};
    static constexpr CodeTraits kUnsupportedMedia{"unsupported_media_type", false, Fault::kCaller,
                                                  Effect::kNone, 415};
    static constexpr CodeTraits kRuleViolation{"rule_violation", false, Fault::kCaller,
                                               Effect::kNone, 422};
    static constexpr CodeTraits kRateLimited{"rate_limited", true, Fault::kCaller, Effect::kNone,
                                             429};
    static constexpr CodeTraits kNotBuilt{"not_built", false, Fault::kAeterna, Effect::kNone, 501};
    static constexpr CodeTraits kUnavailable{"unavailable", true, Fault::kDependency, Effect::kNone,
                                             503};
    static constexpr CodeTraits kDeadline{"deadline_exceeded", true, Fault::kDependency,
                                          Effect::kNone, 503};
    static constexpr CodeTraits kUnknown{"outcome_unknown", true, Fault::kDependency,
                                         Effect::kUnknown, 503};
    static constexpr CodeTraits kFull{"storage_full", true, Fault::kDependency, Effect::kNone, 503};
    static constexpr CodeTraits kCorrupt{"corrupt", false, Fault::kDependency, Effect::kNone, 500};
    static constexpr CodeTraits kInternal{"internal", false, Fault::kAeterna, Effect::kUnknown,
                                          500};
    switch (code) {
        case Code::kMalformed:
            return kMalformed;
        case Code::kUnauthenticated:
            return kUnauthenticated;
        case Code::kForbidden:
            return kForbidden;
        case Code::kNotFound:
            return kNotFound;
        case Code::kMethodNotAllowed:
            return kMethodNotAllowed;
        case Code::kConflict:
            return kConflict;
        case Code::kTooLarge:
            return kTooLarge;
        case Code::kUnsupportedMedia:
            return kUnsupportedMedia;
        case Code::kRuleViolation:
            return kRuleViolation;
        case Code::kRateLimited:
            return kRateLimited;
        case Code::kNotBuilt:
            return kNotBuilt;
        case Code::kUnavailable:
            return kUnavailable;
        case Code::kDeadlineExceeded:
            return kDeadline;
        case Code::kOutcomeUnknown:
            return kUnknown;
        case Code::kStorageFull:
            return kFull;
        case Code::kCorrupt:
            return kCorrupt;
        case Code::kInternal:
            break;
    }
    return kInternal;
}

}  // namespace aeterna
