//! The bytes that a message is encoded to.

/// Bytes that grow at their end, made for many small values in a row.
///
/// A `Vec` may grow at each append and loads its length again after it could have, so each value waits until the one before is
/// stored: that takes longer than all else. Here values gather in an array, and one comparison with a constant is all that a
/// value needs. How much of the array is filled is a [`Place`], which each value takes and gives back.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// What comes behind them, as far as it is filled.
    small: [u8; SMALL],
    /// Where that ends while nobody has the place.
    filled: Place,
}

/// Where the next value goes.
///
/// It passes from value to value, through all structs and arrays, and so stays in a register. In the writer it would be loaded
/// again after each call, and each value would wait for the store of the one before.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Place(usize);

/// How many bytes gather: enough to make moving them cheap, few enough to make a writer for each request.
const SMALL: usize = 512;

impl Buffer {
    /// Puts behind what `bytes` holds.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            small: [0; SMALL],
            filled: Place(0),
        }
    }

    /// Takes the place; until it is [left](Self::leave) again, nothing but `put_*` may be called.
    #[inline]
    pub(super) fn place(&self) -> Place {
        self.filled
    }

    /// Gives the place back.
    #[inline]
    pub(super) fn leave(&mut self, place: Place) {
        self.filled = place;
    }

    /// How many bytes there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.filled.0
    }

    /// Puts as many bytes as a fixed-size value has.
    #[inline]
    pub(super) fn put_array<const N: usize>(&mut self, place: Place, piece: [u8; N]) -> Place {
        self.put_front(place, piece, N)
    }

    /// Puts the first `n` of `piece`, which is cheaper than to copy a number of bytes that is not known when compiling.
    #[inline]
    pub(super) fn put_front<const N: usize>(
        &mut self,
        Place(mut at): Place,
        piece: [u8; N],
        n: usize,
    ) -> Place {
        debug_assert!(n <= N);
        if at > SMALL - N {
            self.gather(at);
            at = 0;
        }
        if let Some(room) = self.small.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *room = piece;
        }
        Place(at + n)
    }

    /// Puts bytes of any number.
    #[inline]
    pub(super) fn put_slice(&mut self, Place(at): Place, piece: &[u8]) -> Place {
        let room = self.small.get_mut(at..);
        match room.and_then(|room| room.get_mut(..piece.len())) {
            Some(room) => {
                copy(piece, room);
                Place(at + piece.len())
            }
            None => self.put_apart(at, piece),
        }
    }

    #[inline(never)]
    fn put_apart(&mut self, at: usize, piece: &[u8]) -> Place {
        self.gather(at);
        self.bytes.extend_from_slice(piece);
        Place(0)
    }

    /// Puts one byte, and bytes of any number behind it.
    #[inline]
    pub(super) fn put_headed(&mut self, Place(at): Place, head: u8, piece: &[u8]) -> Place {
        let room = self.small.get_mut(at..);
        if let Some([first, room @ ..]) = room.and_then(|room| room.get_mut(..=piece.len())) {
            *first = head;
            copy(piece, room);
            return Place(at + 1 + piece.len());
        }
        let place = self.put_array(Place(at), [head]);
        self.put_slice(place, piece)
    }

    /// Moves what is in the array, as far as it is filled, to the others.
    #[inline(never)]
    fn gather(&mut self, filled: usize) {
        let filled = self.small.get(..filled).unwrap_or(&self.small);
        self.bytes.extend_from_slice(filled);
        self.filled = Place(0);
    }

    /// What was put from `start` on, to be changed.
    pub(super) fn from(&mut self, start: usize) -> &mut [u8] {
        self.gather(self.filled.0);
        self.bytes.get_mut(start..).unwrap_or_default()
    }

    /// All of it.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        self.gather(self.filled.0);
        self.bytes
    }
}

/// Copies to where there is as much room. What is as long as most names, keys and values of headers is copied in two halves that
/// overlap, instead of by a call.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        33.. => to.copy_from_slice(from),
        17.. => copy_halves::<16>(from, to),
        8.. => copy_halves::<8>(from, to),
        4.. => copy_halves::<4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_halves<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_follow_each_other_as_in_a_vector() {
        let mut buffer = Buffer::new(b"before".to_vec());
        let mut expect = b"before".to_vec();
        for n in 0..2_000u16 {
            let place = buffer.put_array(buffer.place(), n.to_be_bytes());
            expect.extend(n.to_be_bytes());
            let piece = vec![n as u8; usize::from(n) * 97 % (2 * SMALL)];
            let place = buffer.put_slice(place, &piece);
            expect.extend(&piece);
            let place = buffer.put_array(place, [n as u8; 16]);
            let place = buffer.put_headed(place, n as u8, &piece);
            buffer.leave(place);
            expect.extend([n as u8; 17]);
            expect.extend(&piece);
            assert_eq!(buffer.len(), expect.len());
        }
        assert_eq!(buffer.clone().into_vec(), expect);
        // also what has just been put can be changed
        buffer.from(expect.len() - 1).fill(0xee);
        expect.pop();
        expect.push(0xee);
        assert_eq!(buffer.into_vec(), expect);
    }

    #[test]
    fn the_memory_that_was_given_is_used() {
        let bytes = Vec::with_capacity(2 * SMALL);
        let memory = bytes.as_ptr();
        let mut buffer = Buffer::new(bytes);
        for _ in 0..SMALL {
            let place = buffer.put_array(buffer.place(), *b"ab");
            buffer.leave(place);
        }
        let bytes = buffer.into_vec();
        assert_eq!(bytes, b"ab".repeat(SMALL));
        assert_eq!(bytes.as_ptr(), memory);
    }
}
