#include "base/build_id.h"

namespace mlc {

const char* version() { return MLC_VERSION; }

}  // namespace mlc
