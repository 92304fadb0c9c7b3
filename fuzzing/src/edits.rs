//! Inputs that are nearly valid: they come further than noise does.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Most edits of one input. With more of them it is noise.
const MAX_EDITS: usize = 8;
/// Longest part that one edit removes or repeats, in bytes.
const MAX_PART: usize = 64;
/// Most repetitions of a part.
const MAX_TIMES: usize = 200;
/// Bytes at which decoders change what they do: ends of ranges, signs, lengths, escapes, brackets, blanks.
const TELLING: [u8; 20] = [
    0, 1, 0x7f, 0x80, 0xc0, 0xf4, 0xff, b'"', b'\'', b'\\', b'{', b'}', b'[', b']', b':', b'-', b'&', b'*', b'\n',
    b'\t',
];

/// One edit of a list of bytes.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Put(Index, Vec<u8>),
    Cut(Index),
}

/// Any bytes at all.
pub fn any_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

/// One of the seeds with some edits. `words`: what a valid input may hold, put in where it does not belong.
pub fn edited(seeds: Vec<Vec<u8>>, words: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    spliced(select(seeds), words)
}

/// The same for seeds that a strategy makes.
pub fn spliced<S: Strategy<Value = Vec<u8>>>(seed: S, words: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<S> {
    let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).chain([Vec::new()]).collect();
    (seed, vec(edit(words), 0..MAX_EDITS)).prop_map(|(mut bytes, edits)| {
        edits.iter().for_each(|edit| edit.apply(&mut bytes));
        bytes
    })
}

fn edit(words: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let byte = || prop_oneof![1 => any::<u8>(), 1 => select(TELLING.to_vec())];
    prop_oneof![
        3 => (at(), byte()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        2 => (at(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        2 => (at(), 1..MAX_PART).prop_map(|(at, length)| Edit::Remove(at, length)),
        2 => (at(), 1..MAX_PART, 1..MAX_TIMES).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        3 => (at(), select(words)).prop_map(|(at, word)| Edit::Put(at, word)),
        1 => at().prop_map(Edit::Cut),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let count = bytes.len();
        // A place in the bytes, its end included.
        let place = |at: &Index| at.index(count + 1);
        match self {
            Self::Set(at, to) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte = *to;
                }
            }
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Insert(at, byte) => bytes.insert(place(at), *byte),
            Self::Remove(at, length) => {
                let from = place(at);
                bytes.drain(from..(from + length).min(count));
            }
            Self::Repeat(at, length, times) => {
                let from = place(at);
                let part = bytes.get(from..(from + length).min(count)).unwrap_or_default().repeat(*times);
                bytes.splice(from..from, part);
            }
            Self::Put(at, word) => {
                let at = place(at);
                bytes.splice(at..at, word.iter().copied());
            }
            Self::Cut(at) => bytes.truncate(place(at)),
        }
    }
}
