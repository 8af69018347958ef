//! Makes a failing history smaller: halves, quarters and so on are left out for as long as it still fails.

use std::collections::BTreeSet;

/// Returns few of `parts` numbers for which `fails` is still true, asking at most `budget` times. It is true of all.
pub(crate) async fn shrink(
    parts: usize,
    mut budget: usize,
    mut fails: impl AsyncFnMut(&BTreeSet<usize>) -> bool,
) -> BTreeSet<usize> {
    let mut kept: Vec<usize> = (0..parts).collect();
    let mut pieces = 2;
    while kept.len() > 1 && pieces <= kept.len() {
        let length = kept.len().div_ceil(pieces);
        let mut smaller = None;
        for start in (0..kept.len()).step_by(length) {
            let end = (start + length).min(kept.len());
            let rest: BTreeSet<_> = kept[..start].iter().chain(&kept[end..]).copied().collect();
            if budget == 0 {
                return kept.into_iter().collect();
            }
            budget -= 1;
            if fails(&rest).await {
                smaller = Some(rest);
                break;
            }
        }
        pieces = match smaller {
            Some(rest) => {
                kept = rest.into_iter().collect();
                (pieces - 1).max(2)
            }
            None if pieces == kept.len() => break,
            None => (pieces * 2).min(kept.len()),
        };
    }
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn only_what_is_needed_stays(needed in proptest::collection::btree_set(0_usize..200, 1..6)) {
            let small = shrink(200, 10_000, async |kept| needed.is_subset(kept)).now_or_never().unwrap();
            prop_assert_eq!(small, needed);
        }

        #[test]
        fn what_is_left_fails_even_when_the_budget_ends(
            needed in proptest::collection::btree_set(0_usize..200, 1..6), budget in 0_usize..60,
        ) {
            let small = shrink(200, budget, async |kept| needed.is_subset(kept)).now_or_never().unwrap();
            prop_assert!(needed.is_subset(&small));
        }
    }
}
