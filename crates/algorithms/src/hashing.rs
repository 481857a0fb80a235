//! Stable 64-bit hashing: the source of every "random" choice.
//!
//! A choice is a function of (seed, row id) alone, so it does not change with the number of partitions, workers or
//! retries. The functions here are part of the format of published artifacts: changing them changes results.

/// The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection of `u64` that mixes every bit.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Combines two words into one, in order: `combine(a, b) != combine(b, a)` in general.
#[must_use]
pub const fn combine(a: u64, b: u64) -> u64 {
    mix(a ^ mix(b).rotate_left(23))
}

/// Hashes bytes, eight at a time, with the length mixed in last.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut state = 0x5E67_4D65_4E74_A000;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        state = combine(state, u64::from_le_bytes(word));
    }
    let mut word = [0u8; 8];
    word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    state = combine(state, u64::from_le_bytes(word));
    combine(state, bytes.len() as u64)
}

/// A uniform number in `[0, 1)` from the upper 53 bits of a hash.
#[must_use]
pub fn unit_interval(hash: u64) -> f64 {
    (hash >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_part_of_the_format() {
        // Artifacts on disk depend on these: a change here must bump the artifact version.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(hash_bytes(b"customer-1"), hash_bytes(b"customer-1"));
        assert_ne!(hash_bytes(b"a"), hash_bytes(b"a\0"));
        assert_ne!(combine(1, 2), combine(2, 1));
    }

    #[test]
    fn unit_interval_is_half_open() {
        assert_eq!(unit_interval(0), 0.0);
        assert!(unit_interval(u64::MAX) < 1.0);
    }
}
