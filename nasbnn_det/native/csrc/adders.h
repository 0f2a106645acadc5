// Counting bits by carry-save adders, for instruction sets without a popcount of vectors.
//
// Three words of equal weight become two by a full adder: their sum, and a carry of twice the weight. K words of weight 1 so
// become planes of weights 1, 2, 4 ... and the bits of few words have to be counted (Harley and Seal; Warren, Hacker's Delight,
// 5-1): of each plane once at the end, and of a carry out of the planes once in 2^planes words.
//
// Bits, an instruction set, offers:
//   Word                        a vector of bits
//   kLanes                      numbers of 32 bits in it
//   kPlanes                     planes that are kept
//   zero(), load(p)             no bit; kLanes numbers
//   broadcast(p)                one number in every lane
//   differ(a, b)                a ^ b
//   full_add(a, b, c, carry)    returns the sum
//   add(a, b), add_bytes(a, b)  sums of numbers of 32 and of 8 bits
//   bytes<weight>(x)            weight times the bits of each byte, at most 8 times 8
//   widen<weight>(x)            weight times the sum of the bytes of each lane
//   hide(x)                     keeps x in a register, and the compiler from knowing what it is
#pragma once
#include <algorithm>

#include "kernels.h"
#include "simd.h"

namespace {

// A block of P pixels and V vectors of output channels.
template <class Bits, int P, int V>
struct BitBlock {
  typename Bits::Word at[P][V];

  template <class F>
  static NB_INLINE void each(F f) {
    repeat<P>([&](auto p) NB_INLINED { repeat<V>([&](auto v) NB_INLINED { f(p, v); }); });
  }
};

// Words of a dot product: differing bits of inputs and weights. Those of one word are kTile numbers behind those of the last.
template <class Bits, int P, int V>
struct DotWords {
  using Words = BitBlock<Bits, P, V>;
  const uint32_t* const (&inputs)[P];
  const int32_t* offsets;
  const uint32_t* weight;

  NB_INLINE Words word(int k) {
    typename Bits::Word w[V], x[P];
    repeat<V>([&](auto v) NB_INLINED { w[v] = Bits::load(weight + k * kTile + v * Bits::kLanes); });
    repeat<P>([&](auto p) NB_INLINED { x[p] = Bits::broadcast(inputs[p] + offsets[k]); });
    Words words;
    Words::each([&](auto p, auto v) NB_INLINED { words.at[p][v] = Bits::differ(x[p], w[v]); });
    return words;
  }

  NB_INLINE void skip(int words) {
    offsets += words;
    weight += words * kTile;
  }
};

// The same without memory: any words, one after another from the same registers.
template <class Bits, int P, int V>
struct RegisterWords {
  using Words = BitBlock<Bits, P, V>;
  typename Bits::Word x, w;

  NB_INLINE Words word(int) {
    Words words;
    Words::each([&](auto p, auto v) NB_INLINED {
      Bits::hide(x);
      words.at[p][v] = Bits::differ(x, w);
    });
    return words;
  }

  NB_INLINE void skip(int) {}
};

template <class Bits, int P, int V, template <class, int, int> class Source>
class Adders {
 public:
  using Words = BitBlock<Bits, P, V>;

  // Bits of the first `count` words of the source, in each lane.
  static NB_INLINE Words count(Source<Bits, P, V> source, int64_t count) { return Adders(source).run(count); }

 private:
  static constexpr int kPlanes = Bits::kPlanes, kChunk = 1 << kPlanes;
  static constexpr int64_t kByteRounds = 31;  // a byte counts at most 8 a round

  NB_INLINE Adders(Source<Bits, P, V> source) : source_(source) {}

  NB_INLINE Words run(int64_t count) {
    const int64_t rest = count % kChunk;
    repeat<kPlanes>([&](auto i) NB_INLINED { planes_[i] = zeros(); });
    // What does not fill a chunk comes first: its carries find empty planes.
    if (rest & 1) {
      planes_[0] = source_.word(0);
      source_.skip(1);
    }
    repeat<kPlanes - 1>([&](auto i) NB_INLINED {
      if (rest & 2 << i) planes_[i + 1] = add<i>();
    });
    Words total = zeros();
    for (int64_t chunks = count / kChunk; chunks > 0; chunks -= kByteRounds) {
      Words sums = zeros();
      for (int64_t round = std::min(chunks, kByteRounds); round > 0; --round) add_bits<1>(add<kPlanes - 1>(), sums);
      Words::each([&](auto p, auto v) NB_INLINED {
        total.at[p][v] = Bits::add(total.at[p][v], Bits::template widen<kChunk>(sums.at[p][v]));
      });
    }
    Words sums = zeros();
    repeat<kPlanes>([&](auto i) NB_INLINED {
      if (count >= 1 << i) add_bits<1 << i>(planes_[i], sums);
    });
    Words::each([&](auto p, auto v) NB_INLINED { total.at[p][v] = Bits::add(total.at[p][v], Bits::template widen<1>(sums.at[p][v])); });
    return total;
  }

  static NB_INLINE Words zeros() {
    Words words;
    Words::each([&](auto p, auto v) NB_INLINED { words.at[p][v] = Bits::zero(); });
    return words;
  }

  template <int kWeight>
  static NB_INLINE void add_bits(const Words& words, Words& sums) {
    Words::each([&](auto p, auto v) NB_INLINED {
      sums.at[p][v] = Bits::add_bytes(sums.at[p][v], Bits::template bytes<kWeight>(words.at[p][v]));
    });
  }

  // Adds the next 2^(plane + 1) words, and all carries up to this plane; returns the carry out of it.
  template <int plane>
  NB_INLINE Words add() {
    const Words carry = add_from<plane, 0>();
    source_.skip(2 << plane);
    return carry;
  }

  // The same, from the k-th word on.
  template <int plane, int k>
  NB_INLINE Words add_from() {
    Words a, b, carry;
    if constexpr (plane == 0) {
      a = source_.word(k);
      b = source_.word(k + 1);
    } else {
      a = add_from<plane - 1, k>();
      b = add_from<plane - 1, k + (1 << plane)>();
    }
    Words::each([&](auto p, auto v) NB_INLINED {
      auto& sum = planes_[plane].at[p][v];
      sum = Bits::full_add(sum, a.at[p][v], b.at[p][v], carry.at[p][v]);
    });
    return carry;
  }

  Source<Bits, P, V> source_;
  Words planes_[kPlanes];
};

// The same without adders, of at most 31 words: a byte counts at most 8 in each.
template <class Bits, int P, int V, template <class, int, int> class Source>
NB_INLINE BitBlock<Bits, P, V> count_by_table(Source<Bits, P, V> source, int64_t count) {
  BitBlock<Bits, P, V> sums;
  sums.each([&](auto p, auto v) NB_INLINED { sums.at[p][v] = Bits::zero(); });
  for (int64_t k = 0; k < count; ++k, source.skip(1)) {
    const auto words = source.word(0);
    words.each([&](auto p, auto v) NB_INLINED {
      sums.at[p][v] = Bits::add_bytes(sums.at[p][v], Bits::template bytes<1>(words.at[p][v]));
    });
  }
  sums.each([&](auto p, auto v) NB_INLINED { sums.at[p][v] = Bits::template widen<1>(sums.at[p][v]); });
  return sums;
}

// Binary multiply-accumulates of `rounds` blocks, each of dot products of so many words, on registers alone.
template <class Bits, int P, int V, class Count>
NB_INLINE int64_t peak_of(int64_t rounds, int64_t words, Count count) {
  auto x = Bits::broadcast(reinterpret_cast<const uint32_t*>(&rounds)), w = Bits::differ(x, x);
  for (int64_t i = 0; i < rounds; ++i) {
    auto counts = count(RegisterWords<Bits, P, V>{x, w}, words);
    counts.each([&](auto p, auto v) NB_INLINED { Bits::hide(counts.at[p][v]); });
  }
  return rounds * words * P * V * Bits::kLanes * 32;
}

}  // namespace
