// The whole test framework: checks that count, and a line on stderr for each that fails. A test's main() ends with
// `return report();`.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <sstream>
#include <string>

#include "error.h"

namespace check {

inline int checks = 0;
inline int failures = 0;

inline bool expect(bool condition, const std::string& what, const char* file, int line) {
    ++checks;
    if (condition) return true;
    ++failures;
    std::fprintf(stderr, "%s:%d: FAILED: %s\n", file, line, what.c_str());
    return false;
}

// Its arguments, one after another.
template <class... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

// The code of the ModelError that `body` throws; `nothing` when it throws none. The message goes to `message`.
inline std::string error_code(const std::function<void()>& body, std::string* message = nullptr) {
    try {
        body();
    } catch (const instructblip::ModelError& error) {
        if (message != nullptr) *message = error.what();
        return error.code();
    } catch (const std::exception& error) {
        return std::string("another exception: ") + error.what();
    }
    return "nothing";
}

inline bool expect_error(const std::string& code, const std::string& part, const std::function<void()>& body,
                         const char* file, int line) {
    std::string message;
    const std::string found = error_code(body, &message);
    return expect(found == code && message.find(part) != std::string::npos,
                  "expected " + code + " with '" + part + "', got " + found + " with '" + message + "'", file, line);
}

inline int report() {
    std::printf("%d checks, %d failed\n", checks, failures);
    return failures == 0 && checks > 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition) check::expect(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
#define CHECK_THAT(condition, what) check::expect(static_cast<bool>(condition), what, __FILE__, __LINE__)
// The statement throws ModelError `code`, with `part` in its message.
#define CHECK_ERROR(code, part, statement) check::expect_error(code, part, [&] { statement; }, __FILE__, __LINE__)
