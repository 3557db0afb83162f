//! What answers mean.

use super::*;

fn answer(status: u16, body: &str) -> Answer {
    Answer { status: StatusCode::from_u16(status).unwrap(), body: body.as_bytes().to_vec(), ..Answer::default() }
}

/// The verdict over three records, as a word.
fn word(format: HttpFormat, status: u16) -> &'static str {
    match judge(format, 3, &answer(status, "")) {
        Verdict::Delivered => "delivered",
        Verdict::Later { .. } => "later",
        Verdict::TooMany(_) => "too many",
        Verdict::SomeBad(_) => "some bad",
        Verdict::Refused(_) => "refused",
        Verdict::Each(_) => "each",
    }
}

#[test]
fn statuses_say_whether_it_may_pass() {
    let cases = [
        (&[200, 201, 202, 204][..], "delivered"),
        (&[300, 301, 302, 307, 308, 400, 403, 404, 405, 422], "refused"),
        (&[401, 408, 425, 429, 500, 502, 503, 504], "later"),
        (&[413], "too many"),
    ];
    for (statuses, expected) in cases {
        for &status in statuses {
            assert_eq!(word(HttpFormat::Ndjson, status), expected, "{status}");
        }
    }
    assert_eq!([400, 422, 204].map(|status| word(HttpFormat::Loki, status)), ["some bad", "some bad", "delivered"]);
    assert_eq!([400, 200].map(|status| word(HttpFormat::Elasticsearch, status)), ["some bad", "later"]);
}

#[test]
fn reasons_say_status_and_the_beginning_of_the_answer_on_one_line() {
    let Verdict::Refused(why) = judge(HttpFormat::Ndjson, 1, &answer(400, "  no \x1b[31m\nway \n")) else { panic!() };
    assert!(why.starts_with("400 Bad Request: no ") && why.ends_with("way"), "{why}");
    assert!(!why.contains(['\x1b', '\n']), "{why:?}");
    let Verdict::Refused(why) = judge(HttpFormat::Ndjson, 1, &answer(404, &"x".repeat(9_999))) else { panic!() };
    assert!(why.len() < 300, "{why}");
    let moved = Answer { location: Some("https://b/".to_owned()), ..answer(301, "") };
    let Verdict::Refused(why) = judge(HttpFormat::Ndjson, 1, &moved) else { panic!() };
    assert!(why.contains("redirects are not followed") && why.contains("https://b/"), "{why}");
    let Verdict::Refused(why) = judge(HttpFormat::Ndjson, 1, &answer(301, "")) else { panic!() };
    assert!(why.ends_with("redirects are not followed"), "{why}");
}

#[test]
fn servers_may_ask_to_be_left_alone_but_not_for_ever() {
    let now: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
    let wait = |text: &str| retry_after(&Answer { retry_after: Some(text.to_owned()), ..answer(429, "") }, now);
    assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
    assert_eq!(wait("999999999"), Some(limits::HTTP_RETRY_AFTER));
    assert_eq!(wait("Sun, 06 Nov 1994 08:49:40 GMT"), Some(Duration::from_secs(3)));
    assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!((wait("soon"), wait("-1"), wait("")), (None, None, None));
}

#[test]
fn a_bulk_answer_is_looked_at_record_by_record() {
    let body = r#"{"took":1,"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{}}},
        {"create":{"status":429,"error":"busy"}},{"create":{"status":400,"error":{"type":"mapper","reason":"no"}}}]}"#;
    let expected = [
        Fate::Delivered,
        Fate::Delivered,
        Fate::Later("429: \"busy\"".to_owned()),
        Fate::Refused(r#"400: {"reason":"no","type":"mapper"}"#.to_owned()),
    ];
    assert_eq!(judge(HttpFormat::Elasticsearch, 4, &answer(200, body)), Verdict::Each(expected.to_vec()));
    let good = answer(200, r#"{"errors":false,"items":[]}"#);
    assert_eq!(judge(HttpFormat::Elasticsearch, 4, &good), Verdict::Delivered);
}

#[test]
fn a_bulk_answer_that_cannot_be_read_is_never_taken_for_success() {
    let bodies =
        ["", "<html>", "{}", "[]", r#"{"errors":true}"#, r#"{"errors":true,"items":[{"create":{"status":201}}]}"#];
    for body in bodies {
        let verdict = judge(HttpFormat::Elasticsearch, 4, &answer(200, body));
        assert!(matches!(verdict, Verdict::Later { .. }), "{body}: {verdict:?}");
    }
    let cut = Answer { is_cut: true, ..answer(200, r#"{"errors":true,"#) };
    assert!(matches!(judge(HttpFormat::Elasticsearch, 4, &cut), Verdict::TooMany(_)));
    assert!(matches!(judge(HttpFormat::Elasticsearch, 1, &cut), Verdict::Later { .. }));
}
