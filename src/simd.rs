//! The two scans that decide how fast logweir is: where lines end, and where a level word may stand.
//!
//! Each has an AVX2 form that is chosen when the processor has it, and a portable form that gives the same answers.
//! What a hit means is decided elsewhere; here are only positions.

/// Appends to `bounds` the position behind every newline of `bytes`, ascending.
pub(crate) fn line_ends(bytes: &[u8], bounds: &mut Vec<u32>) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the processor has what it needs, as was just asked.
        return unsafe { avx2::line_ends(bytes, bounds) };
    }
    line_ends_portable(bytes, bounds);
}

/// The portable form of [`line_ends`].
pub(crate) fn line_ends_portable(bytes: &[u8], bounds: &mut Vec<u32>) {
    bounds.extend(memchr::memchr_iter(b'\n', bytes).map(|position| position as u32 + 1));
}

/// True when the AVX2 forms can be used.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("popcnt")
}

/// True for bytes that words are made of: `[A-Za-z0-9_]`.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    IS_WORD[usize::from(byte)]
}

static IS_WORD: [bool; 256] = IS_WORD_TABLE;
const IS_WORD_TABLE: [bool; 256] = {
    let mut is_word = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        is_word[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    is_word
};

/// AVX2 forms. Nothing here reads beyond a slice: whoever comes too close to its end uses the portable form.
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use std::{arch::x86_64::*, mem::MaybeUninit};

    /// How many positions one step of [`candidates`] looks at.
    pub(crate) const STEP: usize = 32;

    /// Which bytes of `chunk` are `byte`, as bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn equal(chunk: &[u8; 32], byte: u8) -> u32 {
        mask(_mm256_cmpeq_epi8(load(chunk), _mm256_set1_epi8(byte as i8)))
    }

    /// Which bytes of both are the same, as bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn same(one: &[u8; 32], other: &[u8; 32]) -> u32 {
        mask(_mm256_cmpeq_epi8(load(one), load(other)))
    }

    /// Which bytes of `chunk` are digits, as bits.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn digits(chunk: &[u8; 32]) -> u32 {
        let above_zero = _mm256_sub_epi8(load(chunk), _mm256_set1_epi8(b'0' as i8));
        mask(_mm256_cmpeq_epi8(_mm256_min_epu8(above_zero, _mm256_set1_epi8(9)), above_zero))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(chunk: &[u8; 32]) -> __m256i {
        // SAFETY: the reference makes 32 bytes readable, and the load needs no alignment.
        unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
    }

    #[inline]
    fn prefetch(place: *const u8) {
        // SAFETY: a hint, which reads nothing and never faults, wherever it points.
        unsafe { _mm_prefetch(place.cast(), _MM_HINT_T0) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(vector: __m256i) -> u32 {
        _mm256_movemask_epi8(vector) as u32
    }

    /// Steps of 64 bytes between two looks at the room in `bounds`.
    const STEPS: usize = 16;

    /// How far ahead bytes are asked for. A mapping is seen here for the first time, and what the processor fetches ahead by
    /// itself ends with every page: asking costs a read block nothing and takes 15 % off a mapped one (1 GiB in 92 ms
    /// instead of 106).
    const AHEAD: usize = 1 << 10;

    /// See [`super::line_ends`].
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn line_ends(bytes: &[u8], bounds: &mut Vec<u32>) {
        let newline = _mm256_set1_epi8(b'\n' as i8);
        let (chunks, rest) = bytes.as_chunks::<64>();
        let mut base = 1;
        for steps in chunks.chunks(STEPS) {
            // One more than can be found, for the position that `write_positions` writes whether it is there or not.
            bounds.reserve(64 * STEPS + 1);
            let room = bounds.spare_capacity_mut();
            let mut found = 0;
            for chunk in steps {
                prefetch(chunk.as_ptr().wrapping_add(AHEAD));
                let ([low, high], []) = chunk.as_chunks::<32>() else { unreachable!("halves of 64 bytes") };
                let low = mask(_mm256_cmpeq_epi8(load(low), newline));
                let high = mask(_mm256_cmpeq_epi8(load(high), newline));
                let bits = u64::from(high) << 32 | u64::from(low);
                write_positions(bits, base, &mut room[found..]);
                found += bits.count_ones() as usize;
                base += 64;
            }
            let length = bounds.len() + found;
            // SAFETY: `reserve` made room for more than all steps can find, and `found` positions were written in a row.
            unsafe { bounds.set_len(length) };
        }
        bounds.extend(memchr::memchr_iter(b'\n', rest).map(|position| position as u32 + base));
    }

    /// Writes into `room` `base` plus the number of every set bit. Most steps have none or one: the first is always
    /// written, so that the usual case does not branch (58 GB/s against 25 with a branch and 33 with four such writes).
    #[inline]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    fn write_positions(mut bits: u64, base: u32, room: &mut [MaybeUninit<u32>]) {
        room[0].write(base.wrapping_add(bits.trailing_zeros()));
        bits &= bits.wrapping_sub(1);
        let mut place = 1;
        while bits != 0 {
            room[place].write(base + bits.trailing_zeros());
            bits &= bits - 1;
            place += 1;
        }
    }

    /// For each of three letters, the buckets of the level words that have it there, by its low nibble.
    ///
    /// The method is Teddy's, of Hyperscan ("Hyperscan: A Fast Multi-pattern Regex Matcher for Modern CPUs", NSDI
    /// 2019), over the first three letters. Upper and lower case have the same low nibble. That the high nibble is a
    /// letter's is asked of the first only: a few more candidates cost less than the search for them.
    const LETTERS: [[u8; 16]; 3] = [letter_table(0), letter_table(1), letter_table(2)];

    /// The beginnings of all level words. Those of one bucket were chosen so that mixing them gives no common word.
    const BUCKETS: [&[&[u8; 3]]; 8] = [
        &[b"tra", b"sev"],
        &[b"fat", b"ale"],
        &[b"deb", b"pan"],
        &[b"not", b"cri"],
        &[b"inf"],
        &[b"war"],
        &[b"err"],
        &[b"eme"],
    ];

    const fn letter_table(place: usize) -> [u8; 16] {
        let mut table = [0; 16];
        let mut bucket = 0;
        while bucket < BUCKETS.len() {
            let mut word = 0;
            while word < BUCKETS[bucket].len() {
                table[(BUCKETS[bucket][word][place] & 15) as usize] |= 1 << bucket;
                word += 1;
            }
            bucket += 1;
        }
        table
    }

    /// Which low nibbles make a word byte, one bit for each class of high nibble: 3, 4, 5, 6, 7. `m` is left out.
    const WORD: ([u8; 16], [u8; 16]) = word_table();

    const fn word_table() -> ([u8; 16], [u8; 16]) {
        let (mut low, mut high) = ([0; 16], [0; 16]);
        let classes = [0, 0, 0, 1, 2, 4, 8, 16];
        let mut byte = 0u8;
        while byte < 128 {
            if super::IS_WORD_TABLE[byte as usize] && byte != b'm' {
                low[(byte & 15) as usize] |= classes[(byte >> 4) as usize];
                high[(byte >> 4) as usize] |= classes[(byte >> 4) as usize];
            }
            byte += 1;
        }
        (low, high)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn table(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: the reference makes 16 bytes readable, and the load needs no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
    }

    /// The tables in registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Tables {
        letters: [__m256i; 3],
        word: (__m256i, __m256i),
    }

    impl Tables {
        /// Loads them.
        #[inline]
        #[target_feature(enable = "avx2")]
        pub(crate) fn new() -> Self {
            let [first, second, third] = &LETTERS;
            Self { letters: [table(first), table(second), table(third)], word: (table(&WORD.0), table(&WORD.1)) }
        }
    }

    /// What one step of [`candidates`] looks at: a byte, the [`STEP`] bytes behind it where a word may begin, and more
    /// than the longest word behind those.
    pub(crate) type Window = [u8; 64];

    /// The window of the step that begins at `at`; `None` where it does not lie in `bytes`.
    #[inline]
    pub(crate) fn window(bytes: &[u8], at: usize) -> Option<&Window> {
        bytes.get(at.checked_sub(1)?..)?.first_chunk()
    }

    /// The bytes `at..at + 32` of `window`.
    ///
    /// # Panics
    ///
    /// If that is behind its end.
    #[inline]
    pub(crate) fn chunk(window: &Window, at: usize) -> &[u8; 32] {
        let Some(chunk) = window[at..].first_chunk() else { panic!("no 32 bytes at {at} of a window") };
        chunk
    }

    /// Looks each byte up by its low nibble; 0 for a byte that is not ASCII. (`pshufb` does both.)
    #[inline]
    #[target_feature(enable = "avx2")]
    fn look_up(table: __m256i, bytes: __m256i) -> __m256i {
        _mm256_shuffle_epi8(table, bytes)
    }

    /// The positions from the second of `window` on where a level word may begin, as bits: the byte before is no word byte,
    /// or an `m`, which may end a colour sequence; and three letters may fit.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn candidates(window: &Window, tables: &Tables) -> u32 {
        let [before, first, second, third] = [0, 1, 2, 3].map(|shift| load(chunk(window, shift)));
        let [letters, seconds, thirds] = tables.letters;
        let fits = _mm256_and_si256(look_up(letters, first), look_up(seconds, second));
        let fits = _mm256_and_si256(fits, look_up(thirds, third));
        let is_letter = _mm256_cmpgt_epi8(first, _mm256_set1_epi8(b'@' as i8));
        let high_nibbles = _mm256_and_si256(_mm256_srli_epi16::<4>(before), _mm256_set1_epi8(15));
        let word = _mm256_and_si256(look_up(tables.word.0, before), look_up(tables.word.1, high_nibbles));
        let zero = _mm256_setzero_si256();
        let may_begin = _mm256_andnot_si256(_mm256_cmpeq_epi8(fits, zero), is_letter);
        mask(_mm256_and_si256(may_begin, _mm256_cmpeq_epi8(word, zero)))
    }
}

#[cfg(test)]
mod tests;
