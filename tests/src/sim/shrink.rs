//! Cuts what leads to a failure down to what is needed for it.

/// The smallest part of `items` that this search finds for which `fails` still holds, in the same order.
///
/// By halves, then quarters, and so on down to single items (delta debugging): nothing can be left out of the result
/// alone. `fails` is asked at most a few times as often as the square of the result is long, and `tries` times at most;
/// after that the best so far is returned. If `fails` does not hold for all of `items`, they are returned as they are.
///
/// ```
/// use kafka_testing::sim::shrink;
///
/// let both = |items: &[u32]| items.contains(&3) && items.contains(&77);
/// assert_eq!(shrink((0..100).collect(), 1_000, both), [3, 77]);
/// ```
pub fn shrink<T: Clone>(
    items: Vec<T>,
    tries: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut left = tries;
    let mut ask = |part: &[T]| {
        if left == 0 {
            return None;
        }
        left -= 1;
        Some(fails(part))
    };
    if ask(&items) != Some(true) {
        return items;
    }
    if ask(&[]) == Some(true) {
        return Vec::new();
    }
    let mut items = items;
    let mut size = items.len().div_ceil(2);
    while size > 0 && items.len() > 1 {
        let mut at = 0;
        let mut shrunk = false;
        while at < items.len() {
            let end = items.len().min(at + size);
            let rest = [&items[..at], &items[end..]].concat();
            match ask(&rest) {
                None => return items,
                // what follows has moved up to this place
                Some(true) => {
                    items = rest;
                    shrunk = true;
                }
                Some(false) => at = end,
            }
        }
        // at single items, once more for as long as something goes
        size = match (size, shrunk) {
            (1, true) => 1,
            (1, false) => 0,
            _ => size.div_ceil(2).min(items.len()),
        };
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_left_out_of_what_is_left() {
        for wanted in [&[0][..], &[99], &[5, 6, 7], &[0, 50, 99], &[]] {
            let fails = |items: &[u32]| wanted.iter().all(|w| items.contains(w));
            assert_eq!(shrink((0..100).collect(), 10_000, fails), wanted);
        }
    }

    #[test]
    fn what_needs_another_to_be_gone_goes_as_well() {
        // 7 is needed as long as 3 is there
        let fails =
            |items: &[u32]| items.contains(&9) && (!items.contains(&3) || items.contains(&7));
        assert_eq!(shrink((0..10).collect(), 10_000, fails), [9]);
    }

    #[test]
    fn what_does_not_fail_is_left_alone_and_tries_are_bounded() {
        assert_eq!(shrink(vec![1, 2, 3], 100, |_| false), [1, 2, 3]);
        let mut asked = 0;
        let result = shrink((0..1_000).collect(), 20, |items: &[u32]| {
            asked += 1;
            items.contains(&500)
        });
        assert!(asked == 20 && result.contains(&500), "{asked}");
    }
}
