#include "net/http_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::net {
namespace {

using testing::HasSubstr;

TEST(HttpServerMetrics, count_per_listener) {
    observe::Metrics metrics;
    HttpServerMetrics api(metrics, "api");
    HttpServerMetrics ops(metrics, "ops");
    api.connection_opened();
    api.connection_opened();
    api.connection_closed();
    api.rejected("timeout");
    api.rejected("something else");
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("aeterna_http_connections{listener=\"api\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_http_connections_total{listener=\"api\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_http_connections{listener=\"ops\"} 0\n"));
    EXPECT_THAT(text,
                HasSubstr("aeterna_http_rejected_total{listener=\"api\",why=\"timeout\"} 1\n"));
    EXPECT_THAT(text, testing::Not(HasSubstr("something")));
}

}  // namespace
}  // namespace aeterna::net
