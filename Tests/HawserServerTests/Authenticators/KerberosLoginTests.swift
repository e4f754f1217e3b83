// SPDX-License-Identifier: Apache-2.0

import HawserProtocol
import Testing

@testable import HawserServer

@Suite("gssapi-with-mic in the monitor: what may come when")
struct KerberosLoginTests {
    typealias Order = KerberosLogin.Order

    @Test(
        "The whole table",
        arguments: [
            (GSSAPIRequest.mechanisms([.kerberos5]), [Order.due, .due, .due]),
            (.token([1]), [.outOfOrder, .due, .refused]),
            (.messageIntegrityCode([1]), [.outOfOrder, .refused, .due]),
            (.exchangeComplete, [.outOfOrder, .refused, .refused]),
        ]
    )
    func table(request: GSSAPIRequest, orders: [Order]) {
        // Nothing yet, a context in the making, and one that stands.
        let places = [(false, false), (true, false), (true, true)]
        for ((hasAcceptor, isEstablished), order) in zip(places, orders) {
            #expect(
                KerberosLogin.order(
                    of: request,
                    hasAcceptor: hasAcceptor,
                    isEstablished: isEstablished
                ) == order
            )
        }
    }

    @Test("A login begins with nothing")
    func beginning() {
        let login = KerberosLogin()
        #expect(login.exchange.acceptor == nil)
        #expect(!login.exchange.isEstablished)
        #expect(login.principal == nil)
        #expect(login.tickets == nil)
        #expect(login.cache == nil)
    }
}
