// SPDX-License-Identifier: Apache-2.0

internal import HawserCrypto
internal import HawserKeys
internal import HawserWire

/// `-M`: groups for Diffie-Hellman group exchange, ssh-keygen(1) MODULI GENERATION.
func handleModuli(_ arguments: Arguments) -> Int32 {
    let operation = arguments.moduliOperation ?? ""
    guard operation == "generate" || operation == "screen" else {
        fatal("Unsupported moduli option \(operation)")
    }
    guard let output = arguments.files.first else { fatal("No output file specified") }
    let options = ModuliOptions(arguments)
    return operation == "generate"
        ? generate(to: output, options) : screen(to: output, options, arguments)
}

/// The words of `-O` for groups.
private struct ModuliOptions {
    var bits = 0
    var start: [UInt8]?
    var lines: Int?
    var startLine = 0
    var checkpoint: String?
    var trials: UInt32 = 100
    var generator: UInt32?

    init(_ arguments: Arguments) {
        let isGenerating = arguments.moduliOperation == "generate"
        bits = arguments.bits.map { Self.number($0, least: 0) } ?? 0
        for word in arguments.options {
            let equals = word.firstIndex(of: "=") ?? word.endIndex
            let name = word[..<equals].asciiLowercased
            let value = equals < word.endIndex ? String(word[word.index(after: equals)...]) : ""
            switch (name, isGenerating) {
            case ("bits", true): bits = Self.number(value, least: 1)
            case ("start", true):
                guard let number = Hexadecimal.decode(value) else {
                    fatal("Invalid start point.")
                }
                start = number
            // How much memory a sieve takes is not the user's concern any more.
            case ("memory", true): break
            case ("lines", false): lines = Self.number(value, least: 1)
            case ("start-line", false): startLine = Self.number(value, least: 0)
            case ("checkpoint", false): checkpoint = value
            case ("generator", false):
                let number = Self.number(value, least: 1, "Generator invalid")
                guard [2, 3, 5].contains(number) else {
                    fatal("Generator invalid: \(value) (2, 3 or 5)")
                }
                generator = UInt32(number)
            case ("prime-tests", false):
                guard let number = UInt32(exactly: Self.number(value, least: 1)) else {
                    fatal("Invalid number: \(value) (too large)")
                }
                trials = number
            default:
                let operation = isGenerating ? "generation" : "screening"
                fatal("Option \"\(word)\" is unsupported for moduli \(operation)")
            }
        }
    }

    private static func number(
        _ text: String,
        least: Int,
        _ complaint: String = "Invalid number"
    ) -> Int {
        guard let number = Int(text) else { fatal("\(complaint): \(text) (invalid)") }
        if number < least { fatal("\(complaint): \(text) (too small)") }
        if number > Int(Int32.max) { fatal("\(complaint): \(text) (too large)") }
        return number
    }
}

/// A message that begins with the time.
private func report(_ text: String) {
    World.error("\(World.moment) \(text)")
}

private func generate(to output: String, _ options: ModuliOptions) -> Int32 {
    let bits = options.bits == 0 ? 3072 : options.bits
    func fail(_ reason: String) -> Never {
        World.error(reason)
        fatal("modulus candidate generation failed")
    }
    if bits < SafePrimes.bits.lowerBound {
        fail("Too few bits: \(bits) < \(SafePrimes.bits.lowerBound)")
    }
    if bits > SafePrimes.bits.upperBound {
        fail("Too many bits: \(bits) > \(SafePrimes.bits.upperBound)")
    }
    let start = options.start ?? randomNumber(bits: bits - 1)
    guard let plan = SafePrimes.Plan(bits: bits, start: start) else {
        fail("Start point is not \(bits - 1) bits long")
    }
    report("Sieve next \(plan.count) plus \(bits - 1)-bit")
    let began = World.now
    let (lines, primes) = SafePrimes.candidates(plan)
    report("Sieved with \(primes) small primes in \(World.now - began) seconds")
    let time = World.compactTime
    let text = lines.map { $0.text(time: time) + "\n" }.joined()
    if let problem = World.replace(output, with: text.octets, mode: 0o666) {
        fail("Couldn't open modulus candidate file \"\(output)\": \(problem)")
    }
    report("Found \(lines.count) candidates")
    return 0
}

/// With the highest two bits set, so that twice the number has as many bits as it should.
private func randomNumber(bits: Int) -> [UInt8] {
    let bytes = (bits + 7) / 8
    var number = SystemRandom().bytes(bytes)
    let top = (bits - 1) % 8
    number[0] &= UInt8(truncatingIfNeeded: (1 << (top + 1)) - 1)
    number[0] |= 1 << UInt8(top)
    if top > 0 {
        number[0] |= 1 << UInt8(top - 1)
    } else {
        number[1] |= 0x80
    }
    return number
}

private func screen(
    to output: String,
    _ options: ModuliOptions,
    _ arguments: Arguments
) -> Int32 {
    let contents: [UInt8]
    if let file = arguments.file, file != "-" {
        guard let read = World.read(file) else {
            let problem = World.problem(reading: file) ?? "unreadable"
            fatal("Couldn't open modulus candidate file \"\(file)\": \(problem)")
        }
        contents = read
    } else {
        contents = World.readStandardInput()
    }
    if options.trials < 4 {
        World.error("Minimum primality trials is 4")
        fatal("modulus screening failed")
    }
    let lines = contents.split(separator: 0x0a, omittingEmptySubsequences: false).map {
        Array($0)
    }
    var first = options.startLine
    if let path = options.checkpoint, let text = World.read(path),
        let reached = Int(
            String(octets: text).split(whereSeparator: \.isNewline).first ?? ""
        )
    {
        first = max(first, reached)
    }
    let end = lines.last?.isEmpty == true ? lines.count - 1 : lines.count
    first = min(first, end)
    let last = options.lines.map { $0 < end - first ? first + $0 : end } ?? end
    // A damaged list is told before hours of work.
    for index in first..<max(first, last) where lacksNumber(lines[index]) {
        fatal("BN_hex2bn failed")
    }
    var screening = Screening(
        output: output,
        checkpoint: options.checkpoint,
        isFirst: first == 0 || !World.exists(output) || options.checkpoint == nil
    )
    if arguments.verbosity > 0 { World.error("debug1: process from line \(first) to line \(last)") }
    if first < last {
        let (trials, generator) = (options.trials, options.generator)
        Workers.run(first..<last) { index in
            guard let line = ModuliLine(lines[index]) else { return [] }
            return Screening.encode(SafePrimes.screen(line, trials: trials, generator: generator))
        } done: { index, answer in
            screening.take(answer, line: index, of: first..<last)
        }
    }
    screening.finish()
    return 0
}

/// Whether a line that is no comment has something else where its number belongs.
private func lacksNumber(_ line: [UInt8]) -> Bool {
    let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
    guard words.count > 2, words.first?.first != UInt8(ascii: "#") else { return false }
    guard words.count > 6, let digit = words[6].first else { return true }
    return Hexadecimal.decode(String(octets: [digit])) == nil
}

/// The outcomes of lines, in their order, on their way to a file.
private struct Screening {
    private let output: String
    private let checkpoint: String?
    private let began = World.now
    private var lastReport = World.now
    private var text: [UInt8] = []
    private var tested = 0
    private var found = 0

    /// - Parameter isFirst: nothing that the output file holds is to be kept.
    init(output: String, checkpoint: String?, isFirst: Bool) {
        self.output = output
        self.checkpoint = checkpoint
        if !isFirst, let old = World.read(output) { text = old }
        save()
    }

    /// An outcome as bytes, for the way between processes.
    static func encode(_ outcome: SafePrimes.Outcome) -> [UInt8] {
        switch outcome {
        case .skipped: []
        case .composite, .noGenerator: [0]
        case .group(let line): [1] + line.text(time: World.compactTime).octets
        }
    }

    mutating func take(_ answer: [UInt8], line index: Int, of range: Range<Int>) {
        if !answer.isEmpty { tested += 1 }
        if answer.first == 1 {
            found += 1
            text += answer.dropFirst() + [0x0a]
            save()
        }
        guard World.now - lastReport >= Self.secondsBetweenReports else { return }
        lastReport = World.now
        let done = index + 1 - range.lowerBound
        let elapsed = World.now - began
        let left = UInt64(range.count - done) * elapsed / UInt64(max(done, 1))
        report(
            "processed \(done) of \(range.count) (\(done * 100 / range.count)%) in "
                + "\(Self.clock(elapsed)), ETA \(Self.clock(left))"
        )
        if let checkpoint {
            _ = World.replace(checkpoint, with: "\(index + 1)\n".octets, mode: 0o666)
        }
    }

    private func save() {
        if let problem = World.replace(output, with: text, mode: 0o666) {
            fatal("Couldn't open moduli file \"\(output)\": \(problem)")
        }
    }

    /// Nothing is left to do, so there is nothing to resume.
    func finish() {
        if let checkpoint { World.remove(checkpoint) }
        report(
            "Found \(found) safe primes of \(tested) candidates in \(World.now - began) seconds"
        )
    }

    private static func clock(_ seconds: UInt64) -> String {
        let parts = [seconds / 3600, seconds / 60 % 60, seconds % 60]
        return parts.map { ($0 < 10 ? "0" : "") + String($0) }.joined(separator: ":")
    }

    private static let secondsBetweenReports: UInt64 = 60
}
