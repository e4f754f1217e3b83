// SPDX-License-Identifier: Apache-2.0

import HawserSystem
import HawserWire
import Testing

@Suite("Waiting for descriptors by epoll")
struct DescriptorWatchTests {
    private func ready(_ watch: DescriptorWatch) -> [Int32] {
        var found: [Int32] = []
        watch.wait(timeout: 0) { found.append($0.descriptor) }
        return found.sorted()
    }

    @Test("Only what is asked for is told, and not after it has been forgotten")
    func interests() throws {
        let watch = try DescriptorWatch()
        let pipe = try Descriptor.pipe()
        defer {
            Descriptor.close(pipe.read)
            Descriptor.close(pipe.write)
        }
        watch.set(pipe.read, read: true, write: false)
        watch.set(pipe.write, read: false, write: true)
        #expect(ready(watch) == [pipe.write])
        _ = Descriptor.write(pipe.write, [1].rawBytes)
        #expect(ready(watch) == [pipe.read, pipe.write].sorted())
        watch.forget(pipe.write)
        #expect(ready(watch) == [pipe.read])
        watch.set(pipe.read, read: false, write: false)
        #expect(ready(watch).isEmpty)
    }

    @Test("A hang-up is readable, and nothing where nothing is asked")
    func hangUp() throws {
        let watch = try DescriptorWatch()
        let pipe = try Descriptor.pipe()
        watch.set(pipe.read, read: true, write: false)
        Descriptor.close(pipe.write)
        #expect(ready(watch) == [pipe.read])
        watch.set(pipe.read, read: false, write: false)
        #expect(ready(watch).isEmpty)
        Descriptor.close(pipe.read)
    }

    @Test("/dev/null and files, which cannot be waited for, are always ready")
    func files() throws {
        let watch = try DescriptorWatch()
        let null = try Descriptor.open("/dev/null", 2)
        watch.set(null, read: true, write: false)
        #expect(ready(watch) == [null])
        watch.set(null, read: true, write: true)
        #expect(ready(watch) == [null])
        watch.forget(null)
        #expect(ready(watch).isEmpty)
        Descriptor.close(null)
    }

    @Test("A renewed set tells the same")
    func renewed() throws {
        let watch = try DescriptorWatch()
        let pipe = try Descriptor.pipe()
        watch.set(pipe.write, read: false, write: true)
        try watch.renew()
        #expect(ready(watch) == [pipe.write])
        Descriptor.close(pipe.read)
        Descriptor.close(pipe.write)
    }
}
