// Where the engine's log lines go (see engine.h for listeners and captures).
#pragma once

#include <string>

namespace instructblip {

// Takes the engine's log over: silent but for listeners, captures and INSTRUCTBLIP_LOG.
void route_engine_log();

// A line of our own among the engine's, of level debug.
void log_debug(const std::string& line);

}  // namespace instructblip
