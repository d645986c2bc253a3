// bcryptprimitives.dll for Wine before 8.20, which lacks it: the one function of it that Rust's standard library calls.
// Windows has its own; nothing here is shipped.
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE* data, SIZE_T size) {
  while (size > 0) {
    const ULONG part = size > 0x40000000 ? 0x40000000 : (ULONG)size;
    if (!RtlGenRandom(data, part)) return FALSE;
    data += part;
    size -= part;
  }
  return TRUE;
}
