// Metal's language for a compiler of CUDA C++: the part that naga writes for this project's kernels.
#include <cuda_fp16.h>

typedef unsigned int uint;

template <class T, class U> __device__ T as_type(U value) {
    static_assert(sizeof(T) == sizeof(U), "of one size");
    union { U from; T to; } bits;
    bits.from = value;
    return bits.to;
}

namespace metal {
using ::uint;
typedef __half half;

template <class T, int BYTES> struct alignas(BYTES) vec4 {
    T x, y, z, w;
    vec4() = default;
    __device__ vec4(T x, T y, T z, T w) : x(x), y(y), z(z), w(w) {}
    __device__ vec4(T v) : x(v), y(v), z(v), w(v) {}
    template <class U, int B> __device__ explicit vec4(vec4<U, B> v) : x(T(v.x)), y(T(v.y)), z(T(v.z)), w(T(v.w)) {}
    __device__ T& operator[](uint i) { return (&x)[i]; }
    __device__ T operator[](uint i) const { return (&x)[i]; }
};
typedef vec4<float, 16> float4;
typedef vec4<half, 8> half4;
typedef vec4<uint, 16> uint4;
typedef vec4<int, 16> int4;
typedef vec4<bool, 4> bool4;

template <class T> struct vec2 {
    T x, y;
    vec2() = default;
    __device__ vec2(T x, T y) : x(x), y(y) {}
    __device__ T& operator[](uint i) { return (&x)[i]; }
    __device__ T operator[](uint i) const { return (&x)[i]; }
};
typedef vec2<float> float2;
typedef vec2<uint> uint2;
struct uint3 {
    uint x, y, z;
    __device__ uint operator[](uint i) const { return (&x)[i]; }
};
typedef uint3 packed_uint3;

struct float4x4 {
    float4 columns[4];
    __device__ float4x4(float4 a, float4 b, float4 c, float4 d) : columns{a, b, c, d} {}
    __device__ float4& operator[](uint i) { return columns[i]; }
    __device__ float4 operator[](uint i) const { return columns[i]; }
};
__device__ inline float4x4 transpose(float4x4 m) {
    float4 a = m[0], b = m[1], c = m[2], d = m[3];
    return {{a.x, b.x, c.x, d.x}, {a.y, b.y, c.y, d.y}, {a.z, b.z, c.z, d.z}, {a.w, b.w, c.w, d.w}};
}

// Operators by lane: of two vectors, and of a vector with a number on either side.
#define OPERATOR(op)                                                                                                   \
    template <class T, int B> __device__ auto operator op(vec4<T, B> a, vec4<T, B> b)                                  \
        ->RESULT { return {LANE(a.x op b.x), LANE(a.y op b.y), LANE(a.z op b.z), LANE(a.w op b.w)}; }                  \
    template <class T, int B, class U> __device__ auto operator op(vec4<T, B> a, U b)                                  \
        ->RESULT { return a op vec4<T, B>(T(b)); }                                                                     \
    template <class T, int B, class U> __device__ auto operator op(U a, vec4<T, B> b)                                  \
        ->RESULT { return vec4<T, B>(T(a)) op b; }
#define RESULT vec4<T, B>
#define LANE(v) T(v)
OPERATOR(+) OPERATOR(-) OPERATOR(*) OPERATOR(/) OPERATOR(%) OPERATOR(&) OPERATOR(|)
#undef RESULT
#define RESULT bool4
OPERATOR(<) OPERATOR(<=) OPERATOR(>) OPERATOR(>=) OPERATOR(==) OPERATOR(!=)
#undef RESULT
#undef LANE
template <class T, int B> __device__ vec4<T, B> operator-(vec4<T, B> v) { return {T(-v.x), T(-v.y), T(-v.z), T(-v.w)}; }
template <class T, int B> __device__ vec4<T, B> operator~(vec4<T, B> v) { return {T(~v.x), T(~v.y), T(~v.z), T(~v.w)}; }
__device__ inline bool any(bool4 v) { return v.x || v.y || v.z || v.w; }
__device__ inline bool all(bool4 v) { return v.x && v.y && v.z && v.w; }

template <class T> __device__ T select(T no, T yes, bool which) { return which ? yes : no; }
template <class T, int B> __device__ vec4<T, B> select(vec4<T, B> no, vec4<T, B> yes, bool4 which) {
    return {which.x ? yes.x : no.x, which.y ? yes.y : no.y, which.z ? yes.z : no.z, which.w ? yes.w : no.w};
}
template <class T, int B> __device__ vec4<T, B> select(vec4<T, B> no, T yes, bool4 which) {
    return select(no, vec4<T, B>(yes), which);
}

// Functions of numbers, and of vectors by lane.
#define LANES1(name)                                                                                                   \
    template <class T, int B> __device__ vec4<T, B> name(vec4<T, B> v) {                                               \
        return {name(v.x), name(v.y), name(v.z), name(v.w)};                                                           \
    }
#define LANES2(name)                                                                                                   \
    template <class T, int B> __device__ vec4<T, B> name(vec4<T, B> a, vec4<T, B> b) {                                 \
        return {name(a.x, b.x), name(a.y, b.y), name(a.z, b.z), name(a.w, b.w)};                                       \
    }
#define FUNCTION(name, of)                                                                                             \
    __device__ inline float name(float v) { return of(v); }                                                            \
    LANES1(name)
FUNCTION(abs, fabsf) FUNCTION(exp, __expf) FUNCTION(log, __logf) FUNCTION(sqrt, sqrtf) FUNCTION(tanh, tanhf)
__device__ inline float min(float a, float b) { return fminf(a, b); }
__device__ inline float max(float a, float b) { return fmaxf(a, b); }
__device__ inline uint min(uint a, uint b) { return a < b ? a : b; }
__device__ inline uint max(uint a, uint b) { return a > b ? a : b; }
__device__ inline int min(int a, int b) { return a < b ? a : b; }
__device__ inline int max(int a, int b) { return a > b ? a : b; }
LANES2(min) LANES2(max)
template <class T> __device__ T clamp(T v, T low, T high) { return min(max(v, low), high); }
__device__ inline float fma(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline float4 fma(float4 a, float4 b, float4 c) { return a * b + c; }

enum class mem_flags { mem_threadgroup, mem_device };
__device__ inline void threadgroup_barrier(mem_flags) { __syncthreads(); }

__device__ inline float simd_shuffle_xor(float v, uint lane) { return __shfl_xor_sync(~0u, v, lane); }
__device__ inline float4 simd_shuffle_xor(float4 v, uint lane) {
    return {simd_shuffle_xor(v.x, lane), simd_shuffle_xor(v.y, lane), simd_shuffle_xor(v.z, lane), simd_shuffle_xor(v.w, lane)};
}
} // namespace metal
