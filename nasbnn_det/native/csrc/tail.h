// The element-wise work of a brick in training, forward and backward. Rounded as written, without contraction.
#pragma once
#include <algorithm>
#include <cstring>

#include "simd.h"
#include "training.h"

namespace {

// Vectors of a map's channels; the last one of a pixel, and one across the end of a shortcut, takes slow ways.
template <class Simd, class Z>
struct Tail {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  static constexpr int kLanes = Simd::kFloats;

  struct Block {  // of one vector of channels
    int64_t channel, shortcut;
    int lanes;
    bool wraps;
    Floats scale, offset, slope;
  };

  static NB_INLINE Floats get(const float* p, int n) { return n == kLanes ? load<Floats>(p) : load_some_of<Floats>(p, n); }
  static NB_INLINE void put(float* p, Floats v, int n) {
    if (n == kLanes) std::memcpy(p, &v, sizeof v);
    else std::memcpy(p, &v, n * sizeof(float));
  }

  static NB_INLINE Floats get_z(const Z* p, int n) {
    if constexpr (std::is_same_v<Z, float>) {
      return get(p, n);
    } else {
      typename Simd::Shorts v = {};
      if (n == kLanes) std::memcpy(&v, p, sizeof v);
      else std::memcpy(&v, p, n * sizeof(Z));
      return __builtin_convertvector(__builtin_convertvector(v, Ints), Floats);
    }
  }

  static Block block(const TailRow& r, int64_t c) {
    Block b;
    b.channel = c;
    b.lanes = int(std::min<int64_t>(kLanes, r.channels - c));
    b.shortcut = r.shortcut ? c % r.shortcut_channels : 0;
    b.wraps = r.shortcut && b.shortcut + b.lanes > r.shortcut_channels;
    b.scale = get(r.scale + c, b.lanes);
    b.offset = get(r.offset + c, b.lanes);
    b.slope = get(r.slope + c, b.lanes);
    return b;
  }

  // PReLU's input at a pixel.
  static NB_INLINE Floats input(const TailRow& r, const Block& b, int64_t pixel, Floats z, int n) {
    Floats u = z * b.scale + b.offset;
    if (r.shortcut) {
      const float* s = r.shortcut + pixel * r.shortcut_channels;
      u += b.wraps ? load_wrapped_of<Floats>(s, b.shortcut, r.shortcut_channels, n) : get(s + b.shortcut, n);
    }
    return u;
  }

  static NB_INLINE const Z* z_at(const TailRow& r, const Block& b, int64_t pixel) {
    return static_cast<const Z*>(r.z) + pixel * r.channels + b.channel;
  }

  // Calls each(block, lanes), lanes a constant where the vector is whole.
  template <class Each>
  static NB_INLINE void for_blocks(const TailRow& r, Each each) {
    for (int64_t c = 0; c < r.channels; c += kLanes) {
      const Block b = block(r, c);
      if (b.lanes == kLanes) each(b, Number<kLanes>{});
      else each(b, b.lanes);
    }
  }

  static void finish(const TailRow& r, float* out) {
    for_blocks(r, [&](const Block& b, auto n) NB_INLINED {
      const Floats bias = get(r.bias_out + b.channel, n);
      for (int64_t p = 0; p < r.pixels; ++p) {
        const Floats u = input(r, b, p, get_z(z_at(r, b, p), n), n);
        put(out + p * r.channels + b.channel, (u > 0 ? u : u * b.slope) + bias, n);
      }
    });
  }

  static void reduce(const TailRow& r, float* sums) {
    for_blocks(r, [&](const Block& b, auto n) NB_INLINED {
      Floats of_d = {}, of_dz = {}, of_slope = {}, of_grad = {};
      for (int64_t p = 0; p < r.pixels; ++p) {
        const Floats z = get_z(z_at(r, b, p), n), u = input(r, b, p, z, n);
        const Floats g = get(r.grad + p * r.channels + b.channel, n);
        const Floats zero = {}, d = u > 0 ? g : g * b.slope;
        of_d += d;
        of_dz += d * z;
        of_slope += u > 0 ? zero : g * u;
        of_grad += g;
      }
      float* to = sums + b.channel;
      for (const Floats& sum : {of_d, of_dz, of_slope, of_grad}) {
        put(to, sum, n);
        to += r.channels;
      }
    });
  }

  // grad_z takes channels numbers a pixel, grad_shortcut shortcut_channels.
  static void gradient(const TailRow& r, float* grad_z, float* grad_shortcut) {
    for_blocks(r, [&](const Block& b, auto n) NB_INLINED {
      const int64_t c = b.channel;
      const Floats by_grad = get(r.by_grad + c, n), by_z = get(r.by_z + c, n), constant = get(r.constant + c, n);
      const bool first = c < r.shortcut_channels;
      for (int64_t p = 0; p < r.pixels; ++p) {
        const Floats z = get_z(z_at(r, b, p), n), u = input(r, b, p, z, n);
        const Floats g = get(r.grad + p * r.channels + c, n);
        const Floats d = u > 0 ? g : g * b.slope;
        put(grad_z + p * r.channels + c, d * by_grad + (z * by_z + constant), n);
        if (!r.shortcut) continue;
        float* s = grad_shortcut + p * r.shortcut_channels;
        if (b.wraps) {
          for (int i = 0; i < n; ++i) {
            const int64_t at = (b.shortcut + i) % r.shortcut_channels;
            s[at] = c + i < r.shortcut_channels ? d[i] : s[at] + d[i];
          }
        } else {
          put(s + b.shortcut, first ? d : d + get(s + b.shortcut, n), n);
        }
      }
    });
  }
};

template <class Simd>
void pack_signs(const float* x, const float* shift, int64_t channels, uint64_t* words) {
  using Floats = typename Simd::Floats;
  std::fill_n(words, ceil_div(channels, kWord), uint64_t(0));
  int64_t i = 0;
  for (; i + Simd::kFloats <= channels; i += Simd::kFloats)
    words[i / kWord] |= uint64_t(Simd::at_least(load<Floats>(x + i), -load<Floats>(shift + i))) << i % kWord;
  for (; i < channels; ++i) words[i / kWord] |= uint64_t(x[i] >= -shift[i]) << i % kWord;
}

template <Surrogate rule>
inline void add_through_sign_by(const float* __restrict x, const float* __restrict shift, const float* __restrict grad,
                                int64_t channels, float* __restrict grad_x, float* __restrict sums) {
  for (int64_t i = 0; i < channels; ++i) {
    const float t = __builtin_fabsf(x[i] + shift[i]);
    const float left = 1.f - t;
    const float through = rule == kQuadratic ? (left > 0 ? left : 0.f) * grad[i] * 2.f : (t <= 1.f ? grad[i] : 0.f);
    grad_x[i] += through;
    sums[i] += through;
  }
}

template <class Simd>
void add_through_sign(Surrogate rule, const float* x, const float* shift, const float* grad, int64_t channels, float* grad_x,
                      float* sums) {
  if (rule == kQuadratic) add_through_sign_by<kQuadratic>(x, shift, grad, channels, grad_x, sums);
  else add_through_sign_by<kBox>(x, shift, grad, channels, grad_x, sums);
}

}  // namespace
