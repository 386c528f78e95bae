#include "observe/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::observe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Metrics, renders_the_prometheus_text_format) {
    Metrics metrics;
    metrics.counter("aeterna_a_total", "Help of a.", {{"why", "x\"y"}}).add();
    metrics.gauge("aeterna_b", "Help of b.").set(2.5);
    metrics.histogram("aeterna_c_seconds", "Help of c.").observe(std::chrono::milliseconds(3));
    const std::string text = metrics.render();
    EXPECT_THAT(text, HasSubstr("# HELP aeterna_a_total Help of a.\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE aeterna_a_total counter\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_a_total{why=\"x\\\"y\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_b 2.5\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_c_seconds_count 1\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_c_seconds_bucket{le=\"0.0025\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("aeterna_c_seconds_bucket{le=\"0.005\"} 1\n"));
}

TEST(Metrics, the_same_name_and_labels_are_one_metric) {
    Metrics metrics;
    metrics.counter("aeterna_a_total", "Help.", {{"k", "v"}}).add(1);
    metrics.counter("aeterna_a_total", "Help.", {{"k", "v"}}).add(2);
    metrics.counter("aeterna_a_total", "Help.", {{"k", "w"}}).add(4);
    EXPECT_THAT(metrics.render(), HasSubstr("aeterna_a_total{k=\"v\"} 3\n"));
    EXPECT_THAT(metrics.render(), HasSubstr("aeterna_a_total{k=\"w\"} 4\n"));
    EXPECT_THAT(metrics.names(), ElementsAre("aeterna_a_total counter"));
}

TEST(Metrics, mistakes_give_a_handle_that_does_nothing) {
    Metrics metrics;
    EXPECT_NE(metrics.counter("aeterna_a_total", "Help.").handle, nullptr);
    const Gauge clash = metrics.gauge("aeterna_a_total", "Help.");
    EXPECT_EQ(clash.handle, nullptr);
    clash.set(1);
    EXPECT_EQ(metrics.counter("not a name", "Help.").handle, nullptr);
    EXPECT_EQ(metrics.counter("aeterna_b_total", "Help.", {{"__x", "v"}}).handle, nullptr);
    Counter().add();
    EXPECT_THAT(metrics.render(), Not(HasSubstr("not a name")));
}

TEST(Metrics, label_sets_are_bounded) {
    Metrics metrics;
    for (std::size_t i = 0; i < Metrics::kMaxSeries; ++i) {
        ASSERT_NE(metrics.counter("a_total", "Help.", {{"k", std::to_string(i)}}).handle, nullptr);
    }
    EXPECT_EQ(metrics.counter("a_total", "Help.", {{"k", "one too many"}}).handle, nullptr);
    EXPECT_NE(metrics.counter("a_total", "Help.", {{"k", "0"}}).handle, nullptr);
}

TEST(Metrics, refreshes_before_it_renders) {
    Metrics metrics;
    const Gauge size = metrics.gauge("aeterna_size", "Help.");
    int calls = 0;
    metrics.before_render([&calls, size] { size.set(++calls); });
    EXPECT_THAT(metrics.render(), HasSubstr("aeterna_size 1\n"));
    EXPECT_THAT(metrics.render(), HasSubstr("aeterna_size 2\n"));
}

}  // namespace
}  // namespace aeterna::observe
