//! The brokers of a partition: a list so short that it need not be allocated.

use std::{fmt, ops::Deref};

use crate::wire::{
    Place, Reader, Result, Wire, Writer,
    json::{Json, JsonWriter},
};

/// The ids of brokers, most often those of a partition's replicas; it reads like a slice.
///
/// Up to three lie in the value itself: a cluster with 100,000 partitions has as many lists, mostly of that length, and
/// allocating them would take half of the time to read them.
#[derive(Clone)]
pub struct NodeIds(Ids);

/// Three are what fits beside the length in the 24 bytes that a vector takes anyway.
const FEW: usize = 3;

#[derive(Clone)]
enum Ids {
    Few { len: u8, ids: [i32; FEW] },
    Many(Vec<i32>),
}

impl NodeIds {
    /// No ids.
    pub const EMPTY: Self = Self(Ids::Few {
        len: 0,
        ids: [0; FEW],
    });

    /// The ids as a slice.
    #[inline]
    pub fn as_slice(&self) -> &[i32] {
        match &self.0 {
            Ids::Few { len, ids } => ids.get(..usize::from(*len)).unwrap_or_default(),
            Ids::Many(ids) => ids,
        }
    }
}

impl Deref for NodeIds {
    type Target = [i32];

    #[inline]
    fn deref(&self) -> &[i32] {
        self.as_slice()
    }
}

impl Default for NodeIds {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<&[i32]> for NodeIds {
    fn from(ids: &[i32]) -> Self {
        ids.iter().copied().collect()
    }
}

impl From<Vec<i32>> for NodeIds {
    fn from(ids: Vec<i32>) -> Self {
        Self(Ids::Many(ids))
    }
}

impl FromIterator<i32> for NodeIds {
    #[inline]
    fn from_iter<I: IntoIterator<Item = i32>>(iter: I) -> Self {
        let mut iter = iter.into_iter();
        let (mut len, mut ids) = (0, [0; FEW]);
        for (place, id) in ids.iter_mut().zip(iter.by_ref()) {
            *place = id;
            len += 1;
        }
        match iter.next() {
            None => Self(Ids::Few { len, ids }),
            Some(next) => Self(Ids::Many(
                ids.into_iter().chain([next]).chain(iter).collect(),
            )),
        }
    }
}

impl<'a> IntoIterator for &'a NodeIds {
    type Item = &'a i32;
    type IntoIter = std::slice::Iter<'a, i32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for NodeIds {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for NodeIds {}

impl<const N: usize> PartialEq<[i32; N]> for NodeIds {
    fn eq(&self, other: &[i32; N]) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for NodeIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

impl Wire for NodeIds {
    #[inline]
    fn read(&mut self, r: &mut Reader<'_>) -> Result<()> {
        let n = r.array_len()?.unwrap_or_default();
        let (bytes, _) = r.take(n.saturating_mul(4))?.as_chunks();
        self.0 = if n <= FEW {
            let mut ids = [0; FEW];
            for (id, bytes) in ids.iter_mut().zip(bytes) {
                *id = i32::from_be_bytes(*bytes);
            }
            Ids::Few { len: n as u8, ids }
        } else {
            Ids::Many(bytes.iter().map(|id| i32::from_be_bytes(*id)).collect())
        };
        Ok(())
    }

    #[inline]
    fn put(&self, w: &mut Writer, place: Place) -> Place {
        match &self.0 {
            // nearly all: as if there were three, of which the next value overwrites those that there are not
            Ids::Few { len, ids } if w.flexible => {
                let len = (*len).min(FEW as u8);
                let [a, b, c] = ids.map(i32::to_be_bytes);
                let all = [
                    len + 1,
                    a[0],
                    a[1],
                    a[2],
                    a[3],
                    b[0],
                    b[1],
                    b[2],
                    b[3],
                    c[0],
                    c[1],
                    c[2],
                    c[3],
                ];
                w.put_front(place, all, 1 + 4 * usize::from(len))
            }
            _ => self.put_any(w, place),
        }
    }
}

impl NodeIds {
    #[inline(never)]
    fn put_any(&self, w: &mut Writer, place: Place) -> Place {
        let place = w.array_len(place, Some(self.len()));
        i32::put_array(self, w, place)
    }
}

impl Json for NodeIds {
    fn json(&self, version: i16, out: &mut JsonWriter) {
        out.array(self, version);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::{DecodeErrorKind, decode, encode, json};

    #[test]
    fn a_list_of_any_length_is_what_a_vector_of_it_is() {
        for n in 0..8 {
            let list: Vec<i32> = (0..n).map(|n| n * 100_000 - 1).collect();
            let ids: NodeIds = list.iter().copied().collect();
            assert_eq!(ids[..], list);
            assert_eq!(ids, NodeIds::from(list.clone()), "wherever they lie");
            assert_eq!(ids, NodeIds::from(&list[..]));
            assert_eq!(format!("{ids:?}"), format!("{list:?}"));
            assert_eq!(json::to_string(&ids, 0), json::to_string(&list, 0));
            for flexible in [false, true] {
                let bytes = encode(&ids, 0, flexible);
                assert_eq!(bytes, encode(&list, 0, flexible));
                assert_eq!(decode(&bytes, 0, flexible), Ok(ids.clone()));
            }
        }
        assert_eq!(size_of::<NodeIds>(), size_of::<Vec<i32>>());
    }

    #[test]
    fn a_list_that_is_cut_or_lies_about_its_length_is_refused() {
        for (bytes, kind) in [
            (
                &b"\0\0\0\x02\0\0\0\x01\0\0\0"[..],
                DecodeErrorKind::UnexpectedEnd,
            ),
            (
                b"\x7f\xff\xff\xff\0\0\0\x01",
                DecodeErrorKind::UnexpectedEnd,
            ),
            (b"\xff\xff\xff\xfe", DecodeErrorKind::InvalidLength),
        ] {
            let error = decode::<NodeIds>(&Bytes::from_static(bytes), 0, false);
            assert_eq!(error.expect_err("refused").kind(), kind);
        }
        let null = decode::<NodeIds>(&Bytes::from_static(b"\xff\xff\xff\xff"), 0, false);
        assert_eq!(null, Ok(NodeIds::EMPTY));
    }
}
