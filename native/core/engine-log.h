// Where the engine's log lines go (see engine.h for listeners and captures).
#pragma once

namespace instructblip {

// Takes the engine's log over: silent but for listeners, captures and INSTRUCTBLIP_LOG.
void route_engine_log();

}  // namespace instructblip
