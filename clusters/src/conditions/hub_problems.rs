//! What is wrong with the hub's objects, in words that fit the object itself.

use crate::foreign::visible;
use crate::problem::{ObjectName, Problem, ProblemOrigin, Problems};

/// What is wrong with objects of the hub.
pub struct HubProblems<'a>(pub &'a Problems);

impl HubProblems<'_> {
    /// Without the object's name: the text is shown on the object itself.
    pub fn of(&self, kind: &str, name: &str) -> Vec<String> {
        let object = ObjectName::new(kind, None, name);
        let list = self.0.get(&ProblemOrigin::Hub).and_then(|page| page.listed().get(&object));
        list.into_iter().flatten().map(on_object).collect()
    }
}

fn on_object(problem: &Problem) -> String {
    let field = if problem.field.is_empty() { String::new() } else { format!("{}: ", visible(&problem.field)) };
    format!("{field}{}", problem.what())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::REJECTED;
    use crate::problem::ProblemBook;

    /// [`super::super::member`] reads from it whether the object is used.
    #[test]
    fn a_problem_on_its_object_says_what_is_lost() {
        let (book, object) = (ProblemBook::default(), ObjectName::new("MemberCluster", None, "eu-1"));
        let problem = Problem::new(&object, "spec.cidrs.pods[0]", "\u{202e}", "no host bits").losing(REJECTED);
        book.set(&ProblemOrigin::Hub, &object, vec![problem]);
        let texts = HubProblems(&book.snapshot()).of("MemberCluster", "eu-1");
        assert_eq!(texts, [format!("spec.cidrs.pods[0]: found \\u{{202e}}; expected no host bits; {REJECTED}")]);
    }
}
