//! Topic names, topic filters and matching (MQTT 3.1.1 §4.7).

/// Why `name` is no topic name, or `None` if it is one.
pub fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("empty topic name");
    }
    if name.contains(['+', '#']) {
        return Some("wildcard in a topic name");
    }
    None
}

/// Why `filter` is no topic filter, or `None` if it is one.
pub fn filter_problem(filter: &str) -> Option<&'static str> {
    if filter.is_empty() {
        return Some("empty topic filter");
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        match level {
            "+" => {}
            "#" if levels.peek().is_none() => {}
            "#" => return Some("'#' is not the last level of the filter"),
            other if other.contains(['+', '#']) => {
                return Some("wildcard that does not fill its level");
            }
            _ => {}
        }
    }
    None
}

/// Whether the valid topic name `name` matches the valid filter `filter`.
pub fn matches(filter: &str, name: &str) -> bool {
    // A leading wildcard never matches names that start with '$' [MQTT-4.7.2-1].
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(part) if level == "+" || level == part => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_follows_the_examples_of_the_standard() {
        for (filter, name, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/#", "sport", true),
            ("#", "sport/tennis", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/a", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/a", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
            ("a/+/c", "a//c", true),
            ("ACCOUNTS", "Accounts", false),
            ("/a/#", "/ab", false),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} on {name}");
        }
    }

    #[test]
    fn filters_are_checked_level_by_level() {
        for good in [
            "#",
            "+",
            "/",
            "a/+/b/#",
            "+/tennis/#",
            "/+",
            "sport/#",
            "a b",
            "$SYS/#",
        ] {
            assert_eq!(filter_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "sport/tennis#",
            "sport/tennis/#/ranking",
            "sport+",
            "a/#/",
            "##",
            "a/+b",
        ] {
            assert!(filter_problem(bad).is_some(), "{bad}");
        }
        assert_eq!(name_problem("/a/b"), None);
        for bad in ["", "/a/+", "/#"] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
    }
}
