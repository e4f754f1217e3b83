// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserWire

@Suite("JSON, for programs that read ours (RFC 8259)")
struct JSONTests {
    @Test("An object keeps the order of its members and the kinds of its values")
    func object() {
        var object = JSONObject()
        object.add("event", "login")
        object.add("port", 22)
        object.add("ok", true)
        #expect(object.text == #"{"event":"login","port":22,"ok":true}"#)
        #expect(JSONObject().text == "{}")
    }

    @Test("A text can end neither its string nor its line, and says nothing to a terminal")
    func quoting() {
        #expect(JSONObject.quoted(#"a "b" \c"#) == #""a \"b\" \\c""#)
        #expect(JSONObject.quoted("1\n2\r3\u{0}") == #""1\u000a2\u000d3\u0000""#)
        #expect(JSONObject.quoted("\u{1b}[2J\u{7f}\u{9b}") == #""\u001b[2J\u007f\u009b""#)
        #expect(JSONObject.quoted("\u{2028}\u{2029}") == #""\u2028\u2029""#)
        #expect(JSONObject.quoted("grün 😀") == "\"grün 😀\"")
    }
}
