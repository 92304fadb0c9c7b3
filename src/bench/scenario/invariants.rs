//! Whether the control plane's state, after all that was done to it, equals one that is computed from scratch.

use super::super::error::BenchError;
use super::super::protocol::Checked;
use super::super::report::Outcome;
use super::testbed::Testbed;

/// Has the control plane check its invariants, as `/debug/invariants` does. What is violated is a problem of the outcome.
pub async fn check(testbed: &mut Testbed<'_>, outcome: &mut Outcome) -> Result<(), BenchError> {
    add(&testbed.plane.check().await?, outcome);
    Ok(())
}

fn add(checked: &Checked, outcome: &mut Outcome) {
    outcome.figures.count("invariants_compared", "values compared with a state from scratch", checked.compared as u64);
    outcome.figures.count("violations", "violated invariants", checked.violations as u64);
    if checked.compared == 0 {
        outcome.problems.push("the control plane checked no invariant".to_owned());
    }
    if checked.violations > 0 {
        let text = format!("{} violated invariants: {}", checked.violations, checked.examples.join("; "));
        outcome.problems.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_and_a_check_of_nothing_are_problems() {
        let problems = |checked| {
            let mut outcome = Outcome::new("churn");
            add(&checked, &mut outcome);
            outcome.problems
        };
        assert_eq!(problems(Checked { compared: 7, ..Checked::default() }), [""; 0]);
        assert_eq!(problems(Checked::default()), ["the control plane checked no invariant"]);
        let violated = Checked { compared: 7, violations: 2, examples: vec!["services: a".to_owned(), "b".to_owned()] };
        assert_eq!(problems(violated), ["2 violated invariants: services: a; b"]);
    }
}
