// AVX-512 without VPOPCNTDQ: carry-save adders, a full adder in two instructions (VPTERNLOG), and a table of nibbles by
// shuffle for the bits of what the adders leave.
#include "adders.h"
#include "dispatch.h"
#include "row.h"
#include "vectors512.h"

namespace {

struct Bits512 {
  using Word = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kPlanes = 4;

  static inline Word zero() { return _mm512_setzero_si512(); }
  static inline Word load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static inline Word broadcast(const uint32_t* p) { return _mm512_set1_epi32(int(*p)); }
  static inline Word differ(Word a, Word b) { return _mm512_xor_si512(a, b); }
  static inline Word add(Word a, Word b) { return _mm512_add_epi32(a, b); }
  static inline Word add_bytes(Word a, Word b) { return _mm512_add_epi8(a, b); }
  static NB_INLINE void hide(Word& x) { asm volatile("" : "+v"(x)); }

  static inline Word full_add(Word a, Word b, Word c, Word& carry) {
    carry = _mm512_ternarylogic_epi32(a, b, c, 0xe8);  // two of three
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
  }

  template <int kWeight>
  static inline Word bytes(Word x) {
    constexpr char w = kWeight;
    const Word table = _mm512_broadcast_i32x4(_mm_setr_epi8(0, w, w, 2 * w, w, 2 * w, 2 * w, 3 * w, w, 2 * w, 2 * w, 3 * w,
                                                            2 * w, 3 * w, 3 * w, 4 * w));
    const Word nibble = _mm512_set1_epi8(15);
    return _mm512_add_epi8(_mm512_shuffle_epi8(table, _mm512_and_si512(x, nibble)),
                           _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi32(x, 4), nibble)));
  }

  template <int kWeight>
  static inline Word widen(Word x) {
    return _mm512_madd_epi16(_mm512_maddubs_epi16(x, _mm512_set1_epi8(kWeight)), _mm512_set1_epi16(1));
  }
};

struct Avx512Bw : Vectors512 {
  static constexpr int kPixels = 4;

  template <int P, int V>
  static NB_INLINE void count(const uint32_t* const (&inputs)[P], const int32_t* offsets, int64_t values,
                              const uint32_t* weight, Ints (&counts)[P][V]) {
    repeat<V>([&](auto v) NB_INLINED {
      const auto block = Adders<Bits512, P, 1, DotWords>::count({inputs, offsets, weight + v * kFloats}, values);
      repeat<P>([&](auto p) NB_INLINED { counts[p][v] = Ints(block.at[p][0]); });
    });
  }

  static inline Ints dot_pairs(Ints sum, Ints a, Ints b) {
    return sum + Ints(_mm512_madd_epi16(__m512i(a), __m512i(b)));
  }

  // Two vectors are the fastest block where nothing has to be loaded.
  static int64_t peak(int64_t rounds, int64_t words) {
    return peak_of<Bits512, 1, 2>(rounds, words, Adders<Bits512, 1, 2, RegisterWords>::count);
  }
};

}  // namespace

const Isa isa_avx512bw = make_isa<Avx512Bw>("avx512bw");
