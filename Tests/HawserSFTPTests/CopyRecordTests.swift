// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import HawserSFTP

@Suite("Records of the old copy protocol")
struct CopyRecordTests {
    private func read(_ line: String) throws(CopyRecord.Failure) -> CopyRecord {
        try CopyRecord(Array(line.utf8))
    }

    @Test("Records come back as they were written")
    func roundTrip() throws {
        let records: [CopyRecord] = [
            .file(mode: 0o644, size: 12, name: Array("a name".utf8)),
            .directory(mode: 0o2755, name: Array("d".utf8)),
            .times(modification: 1_000_000, access: 5), .endOfDirectory,
            .warning(Array("scp: text".utf8)), .fatal([]),
        ]
        for record in records {
            #expect(try CopyRecord(record.bytes.dropLast()) == record)
            #expect(record.bytes.last == 10)
        }
        #expect(
            String(decoding: records[0].bytes, as: UTF8.self) == "C0644 12 a name\n"
        )
    }

    @Test(
        "Names that lead out of the target are refused",
        arguments: [
            "C0644 1 ../a", "C0644 1 /a", "D0755 0 .", "D0755 0 ..", "D0755 0 ", "C0644 1 a/b",
        ]
    )
    func names(line: String) {
        #expect {
            try read(line)
        } throws: { error in
            if case .unsafeName? = error as? CopyRecord.Failure { true } else { false }
        }
    }

    @Test(
        "Malformed records",
        arguments: [
            "", "Cabc 1 a", "C0644", "C0644 x a", "C0644 -1 a", "C0644 1", "T1 0 0", "T1 0 x 0",
            "C0644 99999999999999999999 a", "T1 1000000 1 0",
        ]
    )
    func malformed(line: String) {
        #expect(throws: CopyRecord.Failure.self) { try read(line) }
    }

    @Test("A record that asks for early answers says the same as one that does not")
    func asking() throws {
        for size: UInt64 in [0, 4096] {
            let plain = CopyRecord.file(mode: 0o644, size: size, name: Array("f 0".utf8))
            let line = Array(
                CopyRecord.asking(mode: 0o644, size: size, name: Array("f 0".utf8)).dropLast()
            )
            #expect(try CopyRecord(line) == plain)
            #expect(CopyRecord.isAsking(line))
            #expect(!CopyRecord.isAsking(Array(plain.bytes.dropLast())))
        }
        #expect(!CopyRecord.isAsking(Array("C0644 0".utf8)))
    }

    @Test(
        "The faults of records have OpenSSH's names (9.2, observed)",
        arguments: [
            ("C0644", "mode not delimited"), ("C0648 1 f", "bad mode"), ("C 1 f", "bad mode"),
            ("C06444 12 f", "mode not delimited"), ("C0644 12", "size not delimited"),
            ("C0644 -1 f", "size not present"),
            ("C0644 9223372036854775808 f", "size out of range"),
            ("T", "mtime.sec not present"), ("T1", "mtime.sec not delimited"),
            ("T1 ", "mtime.usec not delimited"), ("T1 0 ", "atime.sec not present"),
            ("T1 0 1", "atime.sec not delimited"), ("T1 0 1 x", "atime.usec not delimited"),
        ]
    )
    func faults(line: String, name: String) {
        #expect {
            try read(line)
        } throws: { error in
            if case .malformed(let text)? = error as? CopyRecord.Failure {
                text == name
            } else {
                false
            }
        }
    }

    @Test("A line end in a name does not end the record")
    func lineEnd() {
        let record = CopyRecord.file(mode: 0o600, size: 0, name: Array("a\nb".utf8))
        #expect(record.bytes.filter { $0 == 10 }.count == 1)
    }
}
