//! Who waits for whom.

/// A circle, first and last the same; `needs[i]` are those that `i` waits for.
pub(crate) fn cycle(needs: &[&[usize]]) -> Option<Vec<usize>> {
    let mut settled = vec![false; needs.len()];
    while let Some(next) = (0..needs.len()).find(|at| !settled[*at] && ready(needs, &settled, *at))
    {
        settled[next] = true;
    }
    // Each that is left waits for another that is left: following them must come back.
    let mut path = vec![settled.iter().position(|settled| !settled)?];
    loop {
        let last = *path.last()?;
        let next = *needs[last].iter().find(|need| !settled[**need])?;
        let start = path.iter().position(|seen| *seen == next);
        path.push(next);
        if let Some(start) = start {
            return Some(path.split_off(start));
        }
    }
}

fn ready(needs: &[&[usize]], settled: &[bool], at: usize) -> bool {
    needs[at].iter().all(|need| settled[*need])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_named_whole() {
        assert_eq!(cycle(&[&[], &[0], &[0, 1]]), None);
        assert_eq!(cycle(&[&[0]]), Some(vec![0, 0]));
        assert_eq!(cycle(&[&[1], &[2], &[1]]), Some(vec![1, 2, 1]));
        assert_eq!(cycle(&[&[2], &[], &[3, 1], &[0]]), Some(vec![0, 2, 3, 0]));
    }
}
