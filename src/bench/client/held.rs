//! What a client holds of one type: versions by the numbers of [`super::super::names::Names`], in pages, because a client
//! holds either nearly all of them or very few.

const PAGE: usize = 64;

/// Versions by number. Two that hold the same are equal.
#[derive(Clone, Debug, Default)]
pub struct Held {
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    count: usize,
}

/// Marks an empty place. A version of 0, one in 2^64, is stored as 1.
const EMPTY: u64 = 0;

impl Held {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn get(&self, id: u32) -> Option<u64> {
        let (page, place) = split(id);
        let version = *self.pages.get(page)?.as_ref()?.get(place)?;
        (version != EMPTY).then_some(version)
    }

    pub fn contains(&self, id: u32) -> bool {
        self.get(id).is_some()
    }

    /// Returns the version that was held before.
    pub fn put(&mut self, id: u32, version: u64) -> Option<u64> {
        let (page, place) = split(id);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages.get_mut(page)?.get_or_insert_with(|| Box::new([EMPTY; PAGE]));
        let old = std::mem::replace(page.get_mut(place)?, version.max(1));
        self.count += usize::from(old == EMPTY);
        (old != EMPTY).then_some(old)
    }

    /// Returns the version that was held.
    pub fn remove(&mut self, id: u32) -> Option<u64> {
        let (page, place) = split(id);
        let old = std::mem::replace(self.pages.get_mut(page)?.as_mut()?.get_mut(place)?, EMPTY);
        self.count -= usize::from(old != EMPTY);
        (old != EMPTY).then_some(old)
    }

    /// In numerical order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        let pages = self.pages.iter().enumerate().filter_map(|(i, page)| Some((i, page.as_ref()?)));
        let all = pages.flat_map(|(i, page)| page.iter().enumerate().map(move |(place, v)| (i * PAGE + place, *v)));
        all.filter(|(_, version)| *version != EMPTY)
            .map(|(id, version)| (u32::try_from(id).unwrap_or_default(), version))
    }

    /// Numbers whose versions differ, or that only one of the two has.
    pub fn differences(&self, other: &Self) -> Vec<u32> {
        let mine = self.iter().filter(|(id, version)| other.get(*id) != Some(*version)).map(|(id, _)| id);
        let theirs = other.iter().filter(|(id, _)| !self.contains(*id)).map(|(id, _)| id);
        mine.chain(theirs).collect()
    }
}

fn split(id: u32) -> (usize, usize) {
    let id = usize::try_from(id).unwrap_or_default();
    (id / PAGE, id % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_held_until_it_is_removed() {
        let mut held = Held::default();
        assert_eq!((held.put(700, 5), held.put(3, 0), held.put(700, 6)), (None, None, Some(5)));
        assert_eq!(held.iter().collect::<Vec<_>>(), [(3, 1), (700, 6)]);
        assert_eq!((held.len(), held.get(700), held.get(701), held.get(70_000)), (2, Some(6), None, None));
        assert_eq!((held.remove(700), held.remove(700), held.remove(9_999)), (Some(6), None, None));
        assert_eq!((held.len(), held.contains(3)), (1, true));
    }

    #[test]
    fn differences_are_found_in_both_directions() {
        let of = |pairs: &[(u32, u64)]| {
            let mut held = Held::default();
            for (id, version) in pairs {
                held.put(*id, *version);
            }
            held
        };
        let (a, b) = (of(&[(1, 1), (2, 2), (300, 3)]), of(&[(1, 1), (2, 9), (4, 4)]));
        assert_eq!(a.differences(&b), [2, 300, 4]);
        assert_eq!(b.differences(&a), [2, 4, 300]);
        assert!(a.differences(&a.clone()).is_empty());
    }
}
