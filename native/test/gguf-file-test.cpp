// The GGUF reader: every value type, the getters, and each way in which a file can be wrong by its own message.
#include "gguf-file.h"

#include <cmath>
#include <filesystem>
#include <limits>

#include "byte-reader.h"
#include "check.h"
#include "gguf-writer.h"

using namespace instructblip;
using namespace gguf_writer;

namespace {

File sample() {
    File file;
    file.entries = {
        scalar<uint8_t>("u8", GgufType::u8, 200),
        scalar<int8_t>("i8", GgufType::i8, -100),
        scalar<uint16_t>("u16", GgufType::u16, 60000),
        scalar<int16_t>("i16", GgufType::i16, -30000),
        u32("u32", 4000000000U),
        i32("i32", -2000000000),
        scalar<uint64_t>("u64", GgufType::u64, std::numeric_limits<uint64_t>::max()),
        scalar<int64_t>("i64", GgufType::i64, std::numeric_limits<int64_t>::min()),
        f32("f32", 0.5F),
        f64("f64", 1e300),
        boolean("bool", true),
        string("string", "größer \xF0\x9F\x98\x80"),
        array<uint8_t>("u8s", GgufType::u8, {1, 255}),
        array<int32_t>("i32s", GgufType::i32, {-1, 7}),
        array<float>("f32s", GgufType::f32, {0.25F, -1}),
        array<double>("f64s", GgufType::f64, {}),
        array<uint8_t>("bools", GgufType::boolean, {1, 0}),
        array<std::string>("strings", GgufType::string, {"", "a", "▁b"}),
        f32("nan", std::nanf("")),
    };
    file.tensors = {
        {"matrix", GGML_TYPE_F32, {2, 3}, std::string(24, '\1')},
        {"blocks", GGML_TYPE_Q8_0, {2, 32}, std::string(68, '\2')},
        {"half", GGML_TYPE_F16, {5}, std::string(10, '\3')},
    };
    return file;
}

std::shared_ptr<const GgufFile> open_bytes(const std::string& bytes) {
    const TemporaryFile file(bytes);
    return GgufFile::open(file.path());  // the mapping survives the file's removal
}
std::shared_ptr<const GgufFile> open_file(const File& file) {
    return open_bytes(file.bytes());
}

// The file with its `count`-th byte on replaced.
std::string patched(std::string bytes, size_t at, const std::string& by) {
    return bytes.replace(at, by.size(), by);
}

void test_values() {
    for (const uint32_t version : {2U, 3U}) {
        File written = sample();
        written.version = version;
        const auto file = open_file(written);
        CHECK(file->version() == version);
        CHECK(file->alignment() == 32);
        CHECK(file->file_size() == written.bytes().size());
        CHECK(file->metadata().size() == written.entries.size());
        for (size_t i = 0; i < written.entries.size(); ++i) {
            CHECK(file->metadata()[i].key == written.entries[i].key);
            CHECK(file->metadata()[i].type == written.entries[i].type);
        }
        CHECK(std::get<uint8_t>(file->find("u8")->value) == 200);
        CHECK(std::get<uint64_t>(file->find("u64")->value) == std::numeric_limits<uint64_t>::max());
        CHECK(std::get<std::vector<bool>>(file->find("bools")->value) == std::vector<bool>({true, false}));
        CHECK(file->find("bools")->element_type == GgufType::boolean);
        CHECK(std::get<std::vector<uint8_t>>(file->find("u8s")->value) == std::vector<uint8_t>({1, 255}));
        CHECK(file->find("absent") == nullptr);
        CHECK(gguf_type_name(GgufType::f64) == std::string("f64"));
        CHECK(gguf_type_name(GgufType::boolean) == std::string("bool"));
    }
}

void test_getters() {
    const auto file = open_file(sample());
    constexpr int64_t least = std::numeric_limits<int64_t>::min();
    constexpr int64_t most = std::numeric_limits<int64_t>::max();
    CHECK(file->require_integer("u8", 0, 200) == 200);
    CHECK(file->require_integer("i8", -100, 0) == -100);
    CHECK(file->require_integer("u32", least, most) == 4000000000);
    CHECK(file->require_integer("i64", least, most) == least);
    CHECK(file->require_number("f32") == 0.5);
    CHECK(file->require_number("f64") == 1e300);
    CHECK(file->require_bool("bool"));
    CHECK(file->require_string("string") == "größer \xF0\x9F\x98\x80");
    CHECK(file->require_integers("i32s", -1, 7) == std::vector<int64_t>({-1, 7}));
    CHECK(file->require_integers("u8s", 0, 255) == std::vector<int64_t>({1, 255}));
    CHECK(file->require_numbers("f32s") == std::vector<double>({0.25, -1}));
    CHECK(file->require_numbers("f64s").empty());
    CHECK(file->require_strings("strings") == std::vector<std::string>({"", "a", "▁b"}));

    CHECK_ERROR("MODEL_FILE_KEY_MISSING", "'absent'", file->require_integer("absent", 0, 1));
    CHECK_ERROR("MODEL_FILE_KEY_MISSING", file->path(), file->require_string("absent"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "0..199", file->require_integer("u8", 0, 199));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integer", file->require_integer("u64", least, most));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integer", file->require_integer("bool", 0, 1));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integer", file->require_integer("f32", 0, 1));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integer", file->require_integer("i32s", -1, 7));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "finite", file->require_number("nan"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "number", file->require_number("u8"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "bool", file->require_bool("u8"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "string", file->require_string("strings"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "-1..6", file->require_integers("i32s", -1, 6));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integers", file->require_integers("bools", 0, 1));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "integers", file->require_integers("string", 0, 255));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "numbers", file->require_numbers("i32s"));
    CHECK_ERROR("MODEL_FILE_KEY_INVALID", "strings", file->require_strings("string"));
}

void test_tensors() {
    const File written = sample();
    const auto file = open_file(written);
    CHECK(file->tensors().size() == 3);
    const GgufTensor& blocks = file->require_tensor("blocks", {2, 32});
    CHECK(blocks.type == GGML_TYPE_Q8_0);
    CHECK(blocks.byte_length == 68);
    CHECK(blocks.offset % 32 == 0);
    CHECK(std::string(reinterpret_cast<const char*>(blocks.data), 68) == std::string(68, '\2'));
    CHECK(file->find_tensor("half")->byte_length == 10);
    CHECK(file->find_tensor("absent") == nullptr);
    CHECK_ERROR("MODEL_FILE_TENSOR_MISSING", "'absent'", file->require_tensor("absent", {1}));
    CHECK_ERROR("MODEL_FILE_TENSOR_INVALID", "has shape [2, 3], expected [3, 2]",
                file->require_tensor("matrix", {3, 2}));

    File wide = written;
    wide.alignment = 64;
    wide.entries.push_back(u32("general.alignment", 64));
    CHECK(open_file(wide)->require_tensor("half", {5}).offset % 64 == 0);
}

void test_not_gguf() {
    CHECK_ERROR("MODEL_NOT_FOUND", "/no/such.gguf", GgufFile::open("/no/such.gguf"));
    CHECK_ERROR("MODEL_FILE_UNREADABLE", "regular", GgufFile::open(std::filesystem::temp_directory_path().string()));
    CHECK_ERROR("MODEL_FILE_NOT_GGUF", "empty", open_bytes(""));
    CHECK_ERROR("MODEL_FILE_NOT_GGUF", "bytes 47 47", open_bytes("GG"));
    CHECK_ERROR("MODEL_FILE_NOT_GGUF", "50 4b 03 04", open_bytes("PK\3\4 a zip file"));
    const std::string bytes = sample().bytes();
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "big-endian", open_bytes(patched(bytes, 4, std::string("\0\0\0\3", 4))));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "version 1", open_bytes(patched(bytes, 4, "\1")));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "version 4", open_bytes(patched(bytes, 4, "\4")));
    File split = sample();
    split.entries.push_back(scalar<uint16_t>("split.count", GgufType::u16, 3));
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "one of 3 parts", open_file(split));
    split.entries.back() = scalar<uint16_t>("split.count", GgufType::u16, 1);
    CHECK(open_file(split) != nullptr);
}

// Counts and lengths that the file cannot hold: refused before anything of that size is allocated.
void test_counts() {
    const std::string bytes = sample().bytes();
    for (const uint64_t count : {uint64_t{1} << 60, std::numeric_limits<uint64_t>::max(), uint64_t{100000}}) {
        CHECK_ERROR("MODEL_FILE_CORRUPT", "tensors", open_bytes(patched(bytes, 8, Bytes().put(count).text())));
        CHECK_ERROR("MODEL_FILE_CORRUPT", "entries", open_bytes(patched(bytes, 16, Bytes().put(count).text())));
        CHECK_ERROR("MODEL_FILE_CORRUPT", "missing", open_bytes(patched(bytes, 24, Bytes().put(count).text())));
        for (const GgufType type : {GgufType::u8, GgufType::f64, GgufType::string, GgufType::boolean}) {
            File file = sample();
            file.entries.push_back(
                {"long", GgufType::array, Bytes().put(static_cast<uint32_t>(type)).put(count).text()});
            CHECK_ERROR("MODEL_FILE_CORRUPT", "'long'", open_file(file));
        }
    }
}

void test_damaged_metadata() {
    File file = sample();
    file.entries.push_back(u32("u32", 1));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "'u32' appears twice", open_file(file));
    file.entries.back() = {"strange", static_cast<GgufType>(13), "abcd"};
    CHECK_ERROR("MODEL_FILE_CORRUPT", "unknown value type 13", open_file(file));
    file.entries.back() = {"nested", GgufType::array, Bytes().put(9U).put<uint64_t>(1).put(4U).put<uint64_t>(0).text()};
    CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "array of arrays", open_file(file));
    file.entries.back() = scalar<uint8_t>("flag", GgufType::boolean, 2);
    CHECK_ERROR("MODEL_FILE_CORRUPT", "'flag'", open_file(file));
    file.entries.back() = u32("", 1);
    CHECK_ERROR("MODEL_FILE_CORRUPT", "empty", open_file(file));
    file.entries.back() = u32(std::string("a\0b", 3), 1);
    CHECK_ERROR("MODEL_FILE_CORRUPT", "NUL", open_file(file));
    for (const char* const bad : {"\x80", "\xC0\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                                  "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ab\xE2\x82", "\xC3("}) {
        file.entries.back() = string("text", bad);
        CHECK_ERROR("MODEL_FILE_CORRUPT", "UTF-8", open_file(file));
    }
    for (const char* const good : {"", "\x7F", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEF\xBF\xBF",
                                   "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        CHECK_THAT(is_utf8(good), good);
    }
    for (const uint32_t alignment : {0U, 4U, 33U, 1U << 31}) {
        file.entries.back() = u32("general.alignment", alignment);
        CHECK_ERROR("MODEL_FILE_CORRUPT", "general.alignment", open_file(file));
    }
    file.entries.back() = f32("general.alignment", 32);
    CHECK_ERROR("MODEL_FILE_CORRUPT", "general.alignment", open_file(file));
}

void test_damaged_tensors() {
    const auto damaged = [](auto change) {
        File file = sample();
        change(file);
        return file;
    };
    CHECK_ERROR("MODEL_FILE_CORRUPT", "'half' appears twice",
                open_file(damaged([](File& f) { f.tensors[0].name = "half"; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "longer than 63",
                open_file(damaged([](File& f) { f.tensors[0].name = std::string(64, 'x'); })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "0 dimensions", open_file(damaged([](File& f) { f.tensors[0].shape = {}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "5 dimensions",
                open_file(damaged([](File& f) { f.tensors[0].shape = {1, 1, 1, 2, 3}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "dimension of 0",
                open_file(damaged([](File& f) { f.tensors[0].shape = {0, 3}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "dimension of 18446744073709551615",
                open_file(damaged([](File& f) { f.tensors[0].shape = {-1, 3}; })));
    const int64_t huge = int64_t{1} << 40;
    CHECK_ERROR("MODEL_FILE_CORRUPT", "impossible size",
                open_file(damaged([=](File& f) { f.tensors[0].shape = {huge, huge}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "impossible size",
                open_file(damaged([=](File& f) { f.tensors[0].shape = {int64_t{1} << 60, 1}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "bytes are missing",
                open_file(damaged([=](File& f) { f.tensors[0].shape = {huge}; })));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "no multiple of the 32",
                open_file(damaged([](File& f) { f.tensors[1].shape = {2, 33}; })));
    for (const uint32_t type : {4U, 5U, static_cast<uint32_t>(GGML_TYPE_COUNT), 0xFFFFFFFFU}) {
        // 4 and 5 were types once
        CHECK_ERROR("MODEL_FILE_UNSUPPORTED", "type " + std::to_string(type),
                    open_file(damaged([=](File& f) { f.tensors[0].type = type; })));
    }
    CHECK_ERROR("MODEL_FILE_CORRUPT", "'matrix' and 'blocks' overlap",
                open_file(damaged([](File& f) { f.tensors[0].shape = {2, 9}; })));
}

// The last eight bytes of the header are the last tensor's offset.
void test_offsets() {
    const File file = sample();
    const size_t at = file.header().size() - 8;
    const auto with_offset = [&](uint64_t offset) { return patched(file.bytes(), at, Bytes().put(offset).text()); };
    CHECK(open_bytes(with_offset(128)) != nullptr);
    CHECK_ERROR("MODEL_FILE_CORRUPT", "not aligned", open_bytes(with_offset(129)));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "overlap", open_bytes(with_offset(64)));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "missing", open_bytes(with_offset(1 << 20)));
    CHECK_ERROR("MODEL_FILE_CORRUPT", "impossible offset", open_bytes(with_offset(~uint64_t{31})));
}

// Cut anywhere, a file that lacks needed bytes is refused, and says how many it lacks.
void test_truncation() {
    const File file = sample();
    const std::string bytes = file.bytes();
    const size_t needed = open_bytes(bytes)->find_tensor("half")->offset + 10;
    for (size_t length = 4; length < needed; ++length) {
        std::string message;
        const std::string code = check::error_code([&] { open_bytes(bytes.substr(0, length)); }, &message);
        CHECK_THAT(code == "MODEL_FILE_CORRUPT", "cut at " + std::to_string(length) + ": " + code);
        if (length > file.header().size()) {
            const std::string missing = std::to_string(needed - length) + " bytes are missing";
            CHECK_THAT(message.find(missing) != std::string::npos, check::text(message, " should say ", missing));
        }
    }
    CHECK(open_bytes(bytes.substr(0, needed)) != nullptr);
}

}  // namespace

int main() {
    test_values();
    test_getters();
    test_tensors();
    test_not_gguf();
    test_counts();
    test_damaged_metadata();
    test_damaged_tensors();
    test_offsets();
    test_truncation();
    return check::report();
}
