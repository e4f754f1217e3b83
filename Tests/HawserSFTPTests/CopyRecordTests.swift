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

    @Test("A line end in a name does not end the record")
    func lineEnd() {
        let record = CopyRecord.file(mode: 0o600, size: 0, name: Array("a\nb".utf8))
        #expect(record.bytes.filter { $0 == 10 }.count == 1)
    }
}
