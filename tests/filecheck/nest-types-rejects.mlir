// RUN: hetc-opt --verify-diagnostics --split-input-file %s | filecheck %s

// Ranks, types and attributes of the nest dialect that do not fit.

// Ranks.
// CHECK: nest.read: expected 2 indices, got 1
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %v = nest.read %x[%one] : !mp.tensor<[8, 8], f32> -> f32
    }
  }
}

// -----

// CHECK: nest.store: expected 1 indices, got 2
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %v = arith.constant 1.0 : f32
      nest.store %v in %s[%one, %one] : f32, !nest.buf<[64] x f32, global>
    }
  }
}

// -----

// CHECK: nest.fold: expected 0 indices, got 1
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      %v = arith.constant 1.0 : f32
      nest.fold %v into %a[%one] : f32 into !nest.acc<[] of sum<f32>, reg>
    }
  }
}

// -----

// Types.
// CHECK: nest.store: expected a value of type f32, got i32
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %v = arith.constant 1 : i32
      nest.store %v in %s[%one] : i32, !nest.buf<[64] x f32, global>
    }
  }
}

// -----

// CHECK: nest.fold: sum takes ['f32'], got
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      %v = arith.constant 1 : i32
      nest.fold %v into %a[] : i32 into !nest.acc<[] of sum<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.fold: argmax takes ['f32', 'index'], got
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of argmax<f32>, reg>
      %v = arith.constant 1.0 : f32
      nest.fold %v into %a[] : f32 into !nest.acc<[] of argmax<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.fold: softmax takes weights
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of softmax<f32, 8>, reg>
      %v = arith.constant 1.0 : f32
      nest.fold %v into %a[] : f32 into !nest.acc<[] of softmax<f32, 8>, reg>
    }
  }
}

// -----

// CHECK: nest.fold: sum takes no weights
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      %v = arith.constant 1.0 : f32
      nest.fold %v into %a[] weights {
      ^bb0(%p: index):
        nest.yield %v : f32
      } : f32 into !nest.acc<[] of sum<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.fold: the unit is one of fma, dot bf16
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      %v = arith.constant 1.0 : f32
      nest.fold %v into %a[] unit "abacus" : f32 into !nest.acc<[] of sum<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.finish: softmax ends as 8 values
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of softmax<f32, 8>, reg>
      %v = nest.finish %a[] : !nest.acc<[] of softmax<f32, 8>, reg> -> f32
    }
  }
}

// -----

// CHECK: nest.finish: a queue is read by nest.arrange and nest.entry
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of queue<f32, 8>, reg>
      %v = nest.finish %a[] : !nest.acc<[] of queue<f32, 8>, reg> -> f32
    }
  }
}

// -----

// CHECK: nest.arrange: expected a queue, got !nest.acc<[] of sum<f32>, reg>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      nest.arrange %a[] by "score" : !nest.acc<[] of sum<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.arrange: order is one of score, index, got size
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of queue<f32, 8>, reg>
      nest.arrange %a[] by "size" : !nest.acc<[] of queue<f32, 8>, reg>
    }
  }
}

// -----

// CHECK: nest.merge: #nest.combiner<sum<f32>> into #nest.combiner<max<f32>>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, reg>
      %b = nest.acc "b" : !nest.acc<[] of max<f32>, reg>
      nest.merge %a[] into %b[] : !nest.acc<[] of sum<f32>, reg>, !nest.acc<[] of max<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.entries: expected a sparse tensor, got !mp.tensor<[8, 8], f32>
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.entries %x[%one] from %zero to %eight most 8 : i64 {
      ^bb0(%n: index, %v: f32):
      } : !mp.tensor<[8, 8], f32>
    }
  }
}

// -----

// CHECK: nest.buffer: the order names each of 2 dims once, got [0, 0]
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.buffer "a" order [0 : i64, 0 : i64] : !nest.buf<[8, 8] x f32, local>
    }
  }
}

// -----

// Attributes.
// CHECK: nest.buf in local has constant extents, got B
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.buffer "a" : !nest.buf<[B] x f32, local>
    }
  }
}

// -----

// CHECK: nest.buf: the space is one of reg, local, stream, global, got moon
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.buffer "a" : !nest.buf<[8] x f32, moon>
    }
  }
}

// -----

// CHECK: nest.acc: a state does not lie in a stream
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32>, stream>
    }
  }
}

// -----

// CHECK: nest.combiner: one of sum, fixed_sum, prod, max
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of median<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.combiner: softmax has a size
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of softmax<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.combiner: sum has no size
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of sum<f32, 8>, reg>
    }
  }
}

// -----

// CHECK: nest.combiner: any combines conditions (i1), not f32
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of any<f32>, reg>
    }
  }
}

// -----

// CHECK: nest.combiner: mean does not combine values of type i32
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      %a = nest.acc "a" : !nest.acc<[] of mean<i32>, reg>
    }
  }
}

// -----

// CHECK: nest.bind: one of parallel, vector, pipeline, unroll, got fast
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <fast> {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// CHECK: nest.bind: vector needs width
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <vector> {
      ^bb0(%i: index):
      }
    }
  }
}

// -----

// CHECK: nest.bind: unroll has no width
builtin.module {
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[8, 8], f32>, %at: !mp.tensor<[8], i32>, %tf: !mp.tensor<[8, 64], ui8, #mp.sparse<#builtin.int<100>>>, %s: !nest.buf<[64] x f32, global>):
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %four = arith.constant 4 : index
      %eight = arith.constant 8 : index
      nest.for %zero to %eight step 1 : i64 most 8 : i64 bind <unroll 4> {
      ^bb0(%i: index):
      }
    }
  }
}
