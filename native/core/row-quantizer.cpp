#include "row-quantizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <system_error>
#include <thread>

#include "error.h"

namespace instructblip {
namespace {

// GGML_TYPE_COUNT when unknown; types that ggml removed have no block size.
ggml_type type_by_name(const std::string& name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) > 0 && ggml_type_size(type) > 0 && name == ggml_type_name(type)) return type;
    }
    return GGML_TYPE_COUNT;
}

// The type and the bytes of a row of it, when rows can be converted from and to it.
struct RowFormat {
    ggml_type type;
    size_t row_bytes;
};

RowFormat checked_format(const std::string& name, int64_t row_length) {
    const ggml_type type = type_by_name(name);
    // q8_1 and q8_K exist only inside products: ggml cannot convert them to floats.
    const bool convertible = type == GGML_TYPE_F32 || (type != GGML_TYPE_COUNT && ggml_get_type_traits(type)->to_float);
    if (!convertible)
        throw ModelError("OPTION_INVALID", "type '" + name + "' is not one that rows can be converted to");
    const size_t row_bytes = row_byte_length(name, row_length);
    if (row_bytes == 0) {
        throw ModelError("OPTION_INVALID", "a row of " + std::to_string(row_length) + " values does not fit type '" +
                                               name + "': its blocks hold " + std::to_string(ggml_blck_size(type)));
    }
    return {type, row_bytes};
}

// Those that ggml makes without an importance matrix; for others it asserts.
bool can_be_made(ggml_type type) {
    switch (type) {
        case GGML_TYPE_F32:
        case GGML_TYPE_F16:
        case GGML_TYPE_BF16:
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q5_1:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_Q2_K:
        case GGML_TYPE_Q3_K:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K:
        case GGML_TYPE_IQ4_NL:
        case GGML_TYPE_IQ4_XS:
            return true;
        default:
            return false;
    }
}

int64_t whole_rows(size_t size, size_t row_size, const char* what) {
    if (size % row_size != 0) {
        throw ModelError("OPTION_INVALID",
                         std::to_string(size) + " " + what + " are not whole rows of " + std::to_string(row_size));
    }
    return static_cast<int64_t>(size / row_size);
}

// Calls body(first_row, rows) for slices of the rows from several threads, until all are done or `cancel`.
template <class Body>
void for_slices(int64_t rows, int64_t row_length, const CancelToken& cancel, const Body& body) {
    constexpr int64_t slice_values = 1 << 18;  // large enough to hide the hand-over, small enough to cancel quickly
    const int64_t slice = std::max<int64_t>(1, slice_values / row_length);
    const int64_t slices = (rows + slice - 1) / slice;
    std::atomic<int64_t> next{0};
    const auto work = [&] {
        for (int64_t i = next++; i < slices && !cancel.cancelled(); i = next++) {
            body(i * slice, std::min(slice, rows - i * slice));
        }
    };
    std::vector<std::thread> helpers;
    const int64_t wanted = std::min<int64_t>(slices, std::max(1U, std::thread::hardware_concurrency()));
    for (int64_t i = 1; i < wanted; ++i) {
        try {
            helpers.emplace_back(work);
        } catch (const std::system_error&) {
            break;  // no more threads to be had: the others do its share
        }
    }
    work();
    for (std::thread& helper : helpers) helper.join();
    cancel.throw_if_cancelled();
}

}  // namespace

size_t row_byte_length(const std::string& name, int64_t row_length) {
    const ggml_type type = type_by_name(name);
    constexpr int64_t longest = int64_t{1} << 40;
    if (type == GGML_TYPE_COUNT || row_length <= 0 || row_length > longest || row_length % ggml_blck_size(type) != 0)
        return 0;
    return ggml_row_size(type, row_length);
}

void to_floats(ggml_type type, const uint8_t* from, int64_t count, float* to) {
    if (type == GGML_TYPE_F32) {
        std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    } else {
        ggml_get_type_traits(type)->to_float(from, to, count);
    }
}

std::vector<uint8_t> quantize_rows(const std::string& name, const std::vector<float>& values, int64_t row_length,
                                   const CancelToken& cancel) {
    const RowFormat format = checked_format(name, row_length);
    if (!can_be_made(format.type)) {
        throw ModelError("OPTION_UNSUPPORTED",
                         "rows cannot be quantized to '" + name + "' without an importance matrix");
    }
    const int64_t rows = whole_rows(values.size(), static_cast<size_t>(row_length), "values");
    // ggml's quantizers search for scales: what is not finite gives garbage for a whole block, or an assertion.
    const bool quantized = ggml_is_quantized(format.type);
    if (quantized && !std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
        throw ModelError("OPTION_INVALID", "values that are not finite cannot be quantized to '" + name + "'");
    }
    std::vector<uint8_t> bytes(static_cast<size_t>(rows) * format.row_bytes);
    ggml_quantize_init(format.type);
    for_slices(rows, row_length, cancel, [&](int64_t first, int64_t count) {
        ggml_quantize_chunk(format.type, values.data(), bytes.data(), first * row_length, count, row_length, nullptr);
    });
    return bytes;
}

std::vector<float> dequantize_rows(const std::string& name, const std::vector<uint8_t>& bytes, int64_t row_length,
                                   const CancelToken& cancel) {
    const RowFormat format = checked_format(name, row_length);
    const int64_t rows = whole_rows(bytes.size(), format.row_bytes, "bytes");
    std::vector<float> values(static_cast<size_t>(rows * row_length));
    ggml_quantize_init(format.type);
    for_slices(rows, row_length, cancel, [&](int64_t first, int64_t count) {
        const uint8_t* const source = bytes.data() + static_cast<size_t>(first) * format.row_bytes;
        to_floats(format.type, source, count * row_length, values.data() + first * row_length);
    });
    return values;
}

}  // namespace instructblip
