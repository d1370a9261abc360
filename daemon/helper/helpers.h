/* helpers.h - the list: one line a helper.  The place in the list is the
 * helper's number in the table; new ones go at the end. */
HELPER(ftp)
HELPER(tftp)
HELPER(irc)
HELPER(amanda)
HELPER(sane)
HELPER(netbios_ns)
HELPER(snmp)
HELPER(sip)
HELPER(pptp)
HELPER(q931)
HELPER(ras)
HELPER(h245)
