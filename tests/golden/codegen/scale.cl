#pragma OPENCL FP_CONTRACT OFF
float mlc_half_to_float(ushort h) { return vload_half(0, (const __private half*)&h); }
ushort mlc_float_to_half(float f) { ushort h; vstore_half_rte(f, 0, (__private half*)&h); return h; }
#define MLC_FLOOR_DIV(T) \
  T mlc_floor_div_##T(T a, T b) { T q = a / b, r = a - q * b; return r != 0 && ((r ^ b) < 0) ? q - 1 : q; } \
  T mlc_floor_mod_##T(T a, T b) { T r = a % b; return r != 0 && ((r ^ b) < 0) ? r + b : r; }
MLC_FLOOR_DIV(char)
MLC_FLOOR_DIV(short)
MLC_FLOOR_DIV(int)
MLC_FLOOR_DIV(long)
#define MLC_SATURATE(F, T, LOW, HIGH, MIN, MAX) \
  T mlc_##F##_to_##T(F x) { return x != x ? (T)0 : x <= (F)LOW ? MIN : x >= (F)HIGH ? MAX : (T)x; }
#define MLC_SATURATE_ALL(F) \
  MLC_SATURATE(F, char, -128, 128, CHAR_MIN, CHAR_MAX) \
  MLC_SATURATE(F, uchar, 0, 256, (uchar)0, UCHAR_MAX) \
  MLC_SATURATE(F, short, -32768, 32768, SHRT_MIN, SHRT_MAX) \
  MLC_SATURATE(F, ushort, 0, 65536, (ushort)0, USHRT_MAX) \
  MLC_SATURATE(F, int, -0x1p31f, 0x1p31f, INT_MIN, INT_MAX) \
  MLC_SATURATE(F, uint, 0, 0x1p32f, 0u, UINT_MAX) \
  MLC_SATURATE(F, long, -0x1p63f, 0x1p63f, LONG_MIN, LONG_MAX) \
  MLC_SATURATE(F, ulong, 0, 0x1p64f, 0ul, ULONG_MAX)
MLC_SATURATE_ALL(float)

__kernel __attribute__((reqd_work_group_size(4, 1, 1)))
void scale_0(__global const ushort* restrict x, __global const uchar* restrict flags, __global float* restrict out, const long T) {
  const long b = (long)get_group_id(0);
  const long t = (long)get_local_id(0);
  if (((b * 4L) + t) < T) {
    vstore4((float4)(0.5f), 0, out + ((b * 4L) + t) * 8L);
    for (long float_ = 4L; float_ < 8L; ++float_) {
      if (flags[float_] != 0) {
        out[(((b * 4L) + t) * 8L + float_)] = (mlc_half_to_float(x[(((b * 4L) + t) * 8L + float_)]) * (-2.0f));
      }
    }
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void scale_1(__global const ushort* restrict x, __global const uchar* restrict flags, __global float* restrict out, const long T) {
  const long i = (long)get_group_id(0);
  out[i * 8L] = exp(out[(i * 8L + 1L)]);
}
