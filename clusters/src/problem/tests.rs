//! The book of problems, filled by a hostile member.

use super::*;

const MEBIBYTE: usize = 1 << 20;

fn member(id: &str) -> ProblemOrigin {
    ProblemOrigin::Member(id.to_owned())
}

fn service(name: &str) -> ObjectName {
    ObjectName::new("Service", Some("shop"), name)
}

fn problem(object: &ObjectName) -> Problem {
    Problem::new(object, "spec.type", "\"Odd\"", "ClusterIP").losing("it is not used")
}

fn broken(prefix: &str, count: usize) -> Vec<Problem> {
    (0..count).map(|i| problem(&service(&format!("{prefix}{i}")))).collect()
}

/// Objects that are listed and that there are, of one origin.
fn counts(book: &ProblemBook, origin: &ProblemOrigin) -> (usize, usize) {
    book.snapshot().get(origin).map_or((0, 0), |page| (page.listed().len(), page.total()))
}

fn weight(book: &ProblemBook) -> usize {
    book.snapshot().values().flat_map(|page| page.problems().map(Problem::weight).collect::<Vec<_>>()).sum()
}

#[test]
fn counts_are_exact_where_listings_are_cut() {
    let (book, eu) = (ProblemBook::default(), member("eu-1"));
    book.replace(&eu, &["Service"], broken("web-", 2_200));
    assert_eq!(counts(&book, &eu), (MAX_OBJECTS_PER_ORIGIN, 2_200));
    assert_eq!(book.snapshot()[&eu].rest().unwrap(), "256 shown, 1944 more objects with problems");

    // Of another kind; one by one; and one twice.
    let node = ObjectName::new("Node", None, "n-1");
    book.replace(&eu, &["Node"], vec![problem(&node)]);
    for object in ["web-1", "late", "late"] {
        book.set(&eu, &service(object), vec![problem(&service(object))]);
    }
    assert_eq!(counts(&book, &eu).1, 2_202);
    // What is put right is not counted, listed or not; what had nothing wrong changes nothing.
    for object in ["web-1", "web-2199", "never"] {
        book.set(&eu, &service(object), Vec::new());
    }
    assert_eq!(counts(&book, &eu).1, 2_200);
    book.replace(&eu, &["Service"], Vec::new());
    assert_eq!(counts(&book, &eu).1, 1, "the Node");
    assert_eq!(
        book.snapshot()[&eu].rest().unwrap(),
        "0 shown, 1 more objects with problems",
        "until it is reported again"
    );
    book.set(&eu, &node, vec![problem(&node)]);
    assert_eq!((counts(&book, &eu), book.snapshot()[&eu].rest()), ((1, 1), None));
    book.forget(&eu);
    assert!(book.snapshot().is_empty());
}

#[test]
fn names_fields_and_values_of_a_mebibyte_take_no_more_than_their_share() {
    let long = |i: usize| format!("{}{i}", "n".repeat(MEBIBYTE));
    let (book, eu) = (ProblemBook::default(), member("eu-1"));
    let (mut objects, mut findings) = (Vec::new(), Findings::default());
    for i in 0..40 {
        let object = ObjectName::new(&long(i), Some(&long(i)), &long(i));
        findings.add(Problem::new(&object, long(i), long(i), long(i)).losing(long(i)));
        objects.push(object);
    }
    let kinds: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
    book.replace(&eu, &kinds, findings);
    assert_eq!(counts(&book, &eu), (40, 40), "those that begin alike are not taken for one");
    for problem in book.snapshot()[&eu].problems() {
        assert!(problem.weight() < 4_096, "{}", problem.weight());
        assert!(problem.found.contains("1048577 bytes") || problem.found.contains("1048578 bytes"), "{problem}");
    }
    book.set(&eu, &objects[7], Vec::new());
    assert_eq!(counts(&book, &eu), (39, 39));
}

#[test]
fn the_book_is_bounded_in_bytes_for_one_and_for_all() {
    let book = ProblemBook::default();
    let wide = |object: &ObjectName| {
        let text = "x".repeat(MAX_EXPECTED_LEN);
        Problem::new(object, text.clone(), &text, text.clone()).losing(text)
    };
    let many = |prefix: &str| -> Vec<Problem> {
        let objects = (0..MAX_OBJECTS_PER_ORIGIN).map(|i| service(&format!("{prefix}{i}")));
        objects.flat_map(|object| vec![wide(&object); MAX_PROBLEMS_PER_OBJECT]).collect()
    };
    for i in 0..48 {
        let origin = member(&format!("eu-{i}"));
        book.replace(&origin, &["Service"], many("web-"));
        let page = &book.snapshot()[&origin];
        assert_eq!(page.total(), MAX_OBJECTS_PER_ORIGIN);
        assert!(page.problems().map(Problem::weight).sum::<usize>() <= MAX_BYTES_PER_ORIGIN);
    }
    assert!(weight(&book) <= MAX_BYTES, "{}", weight(&book));
    let last = member("eu-47");
    let (listed, total) = counts(&book, &last);
    assert!(listed < 8 && total == MAX_OBJECTS_PER_ORIGIN, "hardly any room is left to list them: {listed}");
    // One after the other as well.
    for problem in many("late-") {
        book.set(&last, &problem.object, vec![problem.clone()]);
    }
    assert_eq!(counts(&book, &last).1, 2 * MAX_OBJECTS_PER_ORIGIN);
    assert!(weight(&book) <= MAX_BYTES);
    // Room comes back with those who leave.
    book.forget(&member("eu-0"));
    let listed = counts(&book, &last).0;
    book.set(&last, &service("new"), vec![wide(&service("new"))]);
    assert_eq!(counts(&book, &last).0, listed + 1);
}

#[test]
fn problems_of_one_object_beyond_the_first_are_counted() {
    let (book, eu, object) = (ProblemBook::default(), member("eu-1"), service("web"));
    let twelve: Vec<_> = (0..12).map(|i| Problem::new(&object, format!("f{i}"), "a", "b").losing("c")).collect();
    book.set(&eu, &object, twelve.clone());
    let last = |book: &ProblemBook| book.snapshot()[&eu].problems().last().unwrap().to_string();
    assert_eq!(book.snapshot()[&eu].problems().count(), MAX_PROBLEMS_PER_OBJECT);
    let shown = "Service shop/web: f7: found a; expected b (and 4 more problems of this object); c";
    assert_eq!(last(&book), shown);
    book.replace(&eu, &["Service"], twelve);
    assert_eq!(last(&book), shown);
}

#[test]
fn what_a_problem_says_is_one_line_in_which_nothing_is_hidden() {
    let odd = "a\n\u{1b}[2J\u{202e}\u{9b}\u{2028}\u{200b}";
    let object = ObjectName::new("Service", Some(odd), odd);
    let place = Place { file: odd.into(), line: 3 };
    let text = Problem::new(&object, odd, odd, odd).losing(odd).at(place).to_string();
    assert!(!text.chars().any(crate::foreign::is_hidden), "{text:?}");
    assert!(text.contains("\\n\\u{1b}[2J\\u{202e}\\u{9b}\\u{2028}\\u{200b}"), "{text}");
}

#[test]
fn a_member_does_not_get_its_credential_into_the_book() {
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl";
    let (book, eu) = (ProblemBook::default(), member("eu-1"));
    let for_member = book.scrubbing(Secrets::new([TOKEN.as_bytes()]));
    // As its names, in texts, and so that it is cut in the middle.
    let object = ObjectName::new("Service", Some(TOKEN), TOKEN);
    let long = ObjectName::new("Service", None, &format!("{}{TOKEN}{}", "n".repeat(40), "n".repeat(1_000)));
    let texts = |object: &ObjectName| {
        let found = format!("{}{TOKEN}", "x".repeat(MAX_FOUND_LEN - 30));
        Problem::new(object, format!("metadata.labels[{TOKEN:?}]"), found, TOKEN).losing(TOKEN)
    };
    for_member.set(&eu, &object, vec![texts(&object)]);
    for_member.set(&eu, &long, vec![texts(&long)]);
    let shown = |book: &ProblemBook| {
        let page = serde_json::to_string(&book.snapshot()[&eu].problems().collect::<Vec<_>>()).unwrap();
        let texts: Vec<String> = book.snapshot()[&eu].problems().map(ToString::to_string).collect();
        page + &texts.concat()
    };
    for round in ["one by one", "as a list"] {
        let text = shown(&book);
        for piece in TOKEN.as_bytes().windows(12) {
            assert!(!text.contains(std::str::from_utf8(piece).unwrap()), "{round}: {text}");
        }
        assert!(text.contains("[redacted]"), "{round}: {text}");
        assert_eq!(counts(&book, &eu), (2, 2), "{round}");
        for_member.replace(&eu, &["Service"], vec![texts(&object), texts(&long)]);
    }
    // And it can be taken back.
    for_member.set(&eu, &object, Vec::new());
    for_member.set(&eu, &long, Vec::new());
    assert!(book.snapshot().is_empty());
    // What others say stays as it is.
    book.set(&eu, &service("web"), vec![problem(&service("web"))]);
    assert!(shown(&book).contains("Service shop/web: spec.type: found"));
}
