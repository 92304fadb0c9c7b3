//! What a conversion returns.

use crate::problem::Problem;

/// `Err`: this object is rejected alone, and its last good state stays; the problems are at most
/// [`MAX_PROBLEMS_PER_OBJECT`](crate::problem::MAX_PROBLEMS_PER_OBJECT).
pub type Converted<T> = Result<Accepted<T>, Vec<Problem>>;

/// An object that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted<T> {
    /// `None`: not for us, which also means gone if it was taken before.
    pub object: Option<T>,
    /// What of it could not be used, and was left out.
    pub problems: Vec<Problem>,
}

impl<T> From<Option<T>> for Accepted<T> {
    fn from(object: Option<T>) -> Self {
        Self { object, problems: Vec::new() }
    }
}

impl<T> Accepted<T> {
    pub fn not_for_us() -> Self {
        None.into()
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Accepted<U> {
        Accepted { object: self.object.map(change), problems: self.problems }
    }
}
