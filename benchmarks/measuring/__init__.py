"""How it is measured and how it is told; what is measured lives in `rows`.

accounting              CPU and memory of a tree of processes
ask                     one request, one answer
equal                   whether all contestants answer alike
http1                   where an HTTP/1.1 answer ends
load                    the load client
plot                    results as a picture
results                 rows, targets, ratios
rounds                  contestants take turns
watching                when a commit becomes visible
"""
