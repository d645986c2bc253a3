// Whether the server can be asked for text.
#pragma once

namespace mlc::serve {

enum class ServerState {
  kLoading,   // it listens, the models are not there yet
  kReady,     //
  kDraining,  // it was told to stop: what is in flight is finished
};

inline const char* name_of(ServerState s) {
  return s == ServerState::kLoading ? "loading" : s == ServerState::kReady ? "ready" : "draining";
}

}  // namespace mlc::serve
