// Windows only, for the *_windows.cc files.
#pragma once

namespace mlc::os {

// errno for GetLastError(); always -1.
int set_errno_from_windows();

}  // namespace mlc::os
