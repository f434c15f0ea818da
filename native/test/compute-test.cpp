// Devices, threads, where weights go, progress of a load, and cancelling in every phase.
#include "compute.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "gemm/engine-hook.h"
#include "gemm/kernels.h"
#include "graph.h"
#include "stages.h"

using namespace stages;

namespace {

void test_devices() {
    CHECK(Compute("cpu", 1).is_cpu());
    CHECK(Compute("CPU", 1).device_name() == "CPU");
    CHECK(Compute("auto", 1).device() != nullptr);
    CHECK(Compute("cpu", 3).threads() == 3);
    CHECK(Compute("cpu", 0).threads() >= 1);
    CHECK_ERROR("DEVICE_NOT_FOUND", "CPU (", Compute("no-such-device", 1));
    CHECK_ERROR("DEVICE_NOT_FOUND", "''", Compute("", 1));
    CHECK_ERROR("OPTION_INVALID", "0..512", Compute("cpu", 513));
    CHECK_ERROR("OPTION_INVALID", "-1", Compute("cpu", -1));
    for (const char* const name : {"cuda", "vulkan", "metal"}) {
        // On a machine without such a device; with one, it is used.
        std::string message;
        const std::string code = check::error_code([&] { CHECK(!Compute(name, 1).is_cpu()); }, &message);
        CHECK_THAT(code == "nothing" || code == "DEVICE_NOT_FOUND", check::text(name, ": ", code, ": ", message));
    }
}

void test_thread_counts_agree() {
    const tiny::Model model = tiny::make({}, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    std::vector<float> first;
    for (const int threads : {1, 2, 5}) {
        Compute compute("cpu", threads);
        Loaded loaded(file.path(), compute);
        const std::vector<float> features = loaded.encode(loaded.random_pixels());
        if (first.empty()) first = features;
        CHECK(features == first);
    }
}

// All weights are reported, once; those in a sound order of growth.
void test_progress(Compute& compute) {
    const tiny::Model model = tiny::make({}, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    std::vector<std::pair<uint64_t, uint64_t>> reports;
    LoadMonitor monitor;
    monitor.on_bytes = [&](uint64_t loaded, uint64_t total) { reports.emplace_back(loaded, total); };
    const Loaded loaded(file.path(), compute, monitor);
    uint64_t sum = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < reports.size(); ++i) {
        CHECK(reports[i].first <= reports[i].second);
        const bool last = i + 1 == reports.size() || reports[i + 1].second != reports[i].second;
        if (last) CHECK(reports[i].first == reports[i].second);
        if (last) sum += reports[i].second;
    }
    for (const GgufTensor& tensor : loaded.file->tensors()) bytes += tensor.byte_length;
    CHECK(sum == bytes);
}

void test_cancelled_load(Compute& compute) {
    const tiny::Model model = tiny::make({}, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    CancelToken cancel;
    LoadMonitor monitor;
    monitor.cancel = &cancel;
    int reports = 0;
    monitor.on_bytes = [&](uint64_t, uint64_t) {
        if (++reports == 3) cancel.cancel();
    };
    CHECK_ERROR("ABORTED", "", Loaded(file.path(), compute, monitor));
    CHECK(reports == 3);
}

void test_cancelled_before(Compute& compute) {
    const tiny::Model model = tiny::make({}, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const std::vector<float> features = loaded.encode(loaded.random_pixels());
    CancelToken cancel;
    cancel.cancel();
    CHECK_ERROR("ABORTED", "", loaded.encode(loaded.random_pixels(), nullptr, cancel));
    CHECK_ERROR("ABORTED", "", loaded.query(features, {1}, nullptr, cancel));
    CHECK(loaded.encode(loaded.random_pixels()) == features);
}

// Cancelled while a graph computes: it ends long before the work is done, and the next call is right.
void test_cancelled_within(Compute& compute) {
    tiny::Shape shape{};
    shape.image = 224;  // 1025 tokens
    shape.heads = 8;
    shape.head_size = 32;
    shape.intermediate = 1024;
    shape.layers = 8;  // one graph: only the engine's abort callback can end it
    const tiny::Model model = tiny::make(shape, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const std::vector<float> pixels = loaded.random_pixels();
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    const std::vector<float> features = loaded.encode(pixels);
    const auto whole = Clock::now() - start;

    CancelToken cancel;
    std::thread other([&] {
        std::this_thread::sleep_for(whole / 4);
        cancel.cancel();
    });
    const auto again = Clock::now();
    CHECK_ERROR("ABORTED", "", loaded.encode(pixels, nullptr, cancel));
    const auto until_abort = Clock::now() - again;
    other.join();
    CHECK_THAT(until_abort < whole * 3 / 4,
               "aborted after " + std::to_string(std::chrono::duration<double>(until_abort).count()) + " s of " +
                   std::to_string(std::chrono::duration<double>(whole).count()) + " s");
    CHECK(loaded.encode(pixels) == features);
}

// Small graphs after large ones, with other leaves in other places: each is planned by itself.
void test_changing_graphs(Compute& compute) {
    const tiny::Model model = tiny::make({}, 4);
    const gguf_writer::TemporaryFile file(model.file.bytes());
    Loaded loaded(file.path(), compute);
    const std::vector<float> features = loaded.encode(loaded.random_pixels());
    std::vector<std::vector<float>> first;
    for (int round = 0; round < 2; ++round) {
        for (int count = 0; count <= 9; ++count) {
            const std::vector<float> tokens =
                loaded.query(features, std::vector<int32_t>(static_cast<size_t>(count), 3));
            CHECK(loaded.encode(loaded.random_pixels()) == features);
            if (round == 0) first.push_back(tokens);
            CHECK(tokens == first[static_cast<size_t>(count)]);
        }
    }
}

// Memory that cannot be had is an error, and the next graph computes.
void test_out_of_memory(Compute& compute) {
    const int64_t huge = int64_t{1} << 30;
    const float value = 2;
    std::vector<float> result(1);
    {
        Graph graph("test");
        ggml_tensor* const x = graph.input("x", {1}, &value);
        ggml_tensor* const wide = ggml_repeat_4d(graph.context(), x, huge, huge / 4, 1, 1);  // 2^60 bytes
        graph.output(ggml_sum(graph.context(), wide), result.data());
        CHECK_ERROR("OUT_OF_MEMORY", "CPU", compute.run(graph, {}));
    }
    Graph graph("test");
    graph.output(ggml_sqr(graph.context(), graph.input("x", {1}, &value)), result.data());
    compute.run(graph, {});
    CHECK(result[0] == 4);
}

// Quantised products that have a faster layout on this CPU go there, unless our kernels multiply them; the rest is used
// where it is mapped.
void test_places(Compute& compute) {
    CHECK(!compute.weight_places().empty());
    const WeightPlace& plain = compute.weight_places().back();
    CHECK(plain.buffer_type == compute.table_place().buffer_type);
    tiny::Shape shape{};
    shape.type = GGML_TYPE_Q4_0;
    shape.head_size = 32;
    const tiny::Model model = tiny::make(shape, 4);
    const gguf_writer::TemporaryFile written(model.file.bytes());
    const auto file = GgufFile::open(written.path());
    Weights weights(file, compute);
    const int64_t hidden = shape.hidden();
    ggml_tensor* const bias = weights.add("v.blk.0.ln1.bias", {hidden}, WeightUse::vector);
    ggml_tensor* const table =
        weights.add("v.proj_embd.position.weight", {shape.context, shape.q_hidden()}, WeightUse::table);
    ggml_tensor* const product = weights.add("v.blk.0.attn_out.weight", {hidden, hidden}, WeightUse::product);
    weights.load({});
    const auto in_mapping = [&](const ggml_tensor* tensor) {
        const auto* const data = static_cast<const uint8_t*>(tensor->data);
        return data >= file->mapping().data() && data < file->mapping().data() + file->file_size();
    };
    CHECK(in_mapping(bias));
    CHECK(in_mapping(table));
    CHECK(in_mapping(product) == ggml_backend_buffer_is_host(product->buffer));
    const bool is_repacked = std::string(ggml_backend_buffer_name(product->buffer)) == "CPU_REPACK";
    CHECK(!is_repacked || !kernels_multiply(GGML_TYPE_Q4_0, hidden));
    // Where there are kernels, the engine asks for them (engine-traits.h).
    CHECK((nodes_computed_by_kernels() > 0) == (gemm::choose_kernels() != nullptr));
    std::printf("q4_0 products live in %s\n", ggml_backend_buffer_name(product->buffer));
}

}  // namespace

int main() {
    start_engine();
    test_devices();
    test_thread_counts_agree();
    Compute compute("cpu", 2);
    test_progress(compute);
    test_cancelled_load(compute);
    test_cancelled_before(compute);
    test_cancelled_within(compute);
    test_changing_graphs(compute);
    test_out_of_memory(compute);
    test_places(compute);
    return check::report();
}
