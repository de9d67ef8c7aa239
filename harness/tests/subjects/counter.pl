# A subject in Perl: one connection at a time, answers that end with the connection.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
$SIG{PIPE} = "IGNORE";    # who asks whether it is ready does not wait for an answer
my $count  = 0;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1)
    or die "cannot listen: $!\n";
print "listening\n";
while (my $client = $server->accept) {
    my $request = <$client> // "";
    my $length = 0;
    while (defined(my $line = <$client>)) {
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
        last if $line =~ /^\r?\n$/;
    }
    my $body = "";
    read($client, $body, $length) if $length;
    my ($status, $json) = ("404 Not Found", '{"error":"unknown"}');
    if ($request =~ m{^POST /count }) {
        $count += $body;
        ($status, $json) = ("201 Created", qq({"count":$count}));
    } elsif ($request =~ m{^GET /count }) {
        ($status, $json) = ("200 OK", qq({"count":$count}));
    }
    print $client "HTTP/1.0 $status\r\nContent-Type: application/json\r\n\r\n$json";
    close $client;
}
