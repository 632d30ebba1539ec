//! An order in which everything comes after what it needs.

use std::collections::BTreeSet;

/// The places `0..needs.len()` so that each comes after those it needs, else in their own order; or
/// those that need one another.
pub(crate) fn order(needs: &[Vec<usize>]) -> Result<Vec<usize>, BTreeSet<usize>> {
    let mut open: Vec<usize> = Vec::with_capacity(needs.len());
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (at, needs) in needs.iter().enumerate() {
        let distinct: BTreeSet<usize> = needs.iter().copied().collect();
        open.push(distinct.len());
        for need in distinct {
            users[need].push(at);
        }
    }
    let mut ready: BTreeSet<usize> = (0..needs.len()).filter(|at| open[*at] == 0).collect();
    let mut ordered = Vec::with_capacity(needs.len());
    while let Some(at) = ready.pop_first() {
        ordered.push(at);
        for user in &users[at] {
            open[*user] -= 1;
            if open[*user] == 0 {
                ready.insert(*user);
            }
        }
    }
    if ordered.len() == needs.len() {
        return Ok(ordered);
    }
    Err((0..needs.len()).filter(|at| open[*at] > 0).collect())
}

/// A circle among the places `stuck`, each needing the next.
pub(crate) fn circle(needs: &[Vec<usize>], stuck: &BTreeSet<usize>) -> Vec<usize> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = stuck.first().copied();
    while let Some(here) = at {
        if let Some(first) = path.iter().position(|seen| *seen == here) {
            return path.split_off(first);
        }
        path.push(here);
        at = needs[here].iter().find(|need| stuck.contains(need)).copied();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first_and_else_nothing_moves() {
        assert_eq!(order(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
        assert_eq!(order(&[vec![], vec![0, 0], vec![0]]), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn circles_are_found() {
        let needs = [vec![], vec![2], vec![3, 0], vec![1], vec![1]];
        let stuck = order(&needs).unwrap_err();
        assert_eq!(circle(&needs, &stuck), [1, 2, 3]);
        assert_eq!(circle(&[vec![0]], &BTreeSet::from([0])), [0]);
    }
}
