// RUN: hetc-opt -p inline-producers --split-input-file %s | filecheck %s

// Neighbours ask for the same element.
// CHECK: nest.buffer "s"
// CHECK: nest.load
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %four = arith.constant 4 : index
      %three = arith.constant 3 : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%n: index):
          %v = nest.read %y[%b, %n] : !mp.tensor<[B, T], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.store %w in %s[%b, %n] : f32, !nest.buf<[B, T] x f32, global>
        }
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%p: index):
          %a = nest.acc "a" : !nest.acc<[] of max<f32>, reg>
          %start = arith.muli %p, %three : index
          %left = arith.subi %length, %start : index
          %narrow = arith.minsi %left, %four : index
          nest.for %zero to %narrow step 1 : i64 most 4 : i64 {
          ^bb0(%m: index):
            %place = arith.addi %start, %m : index
            %u = nest.load %s[%b, %place] : !nest.buf<[B, T] x f32, global> -> f32
            nest.fold %u into %a[] : f32 into !nest.acc<[] of max<f32>, reg>
          }

          %most = nest.finish %a[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %most in %r[%b, %p] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// Nothing says that the element is one that was made.
// CHECK: nest.buffer "s"
// CHECK: nest.load
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %four = arith.constant 4 : index
      %three = arith.constant 3 : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%n: index):
          %v = nest.read %y[%b, %n] : !mp.tensor<[B, T], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.store %w in %s[%b, %n] : f32, !nest.buf<[B, T] x f32, global>
        }
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%p: index):
          %a = nest.acc "a" : !nest.acc<[] of max<f32>, reg>
          %start = arith.muli %p, %four : index
          %left = arith.subi %length, %start : index
          %narrow = arith.minsi %left, %four : index
          nest.for %zero to %four step 1 : i64 most 4 : i64 {
          ^bb0(%m: index):
            %place = arith.addi %start, %m : index
            %in = arith.cmpi slt, %place, %length : index
            %u = nest.load %s[%b, %place] if %in : !nest.buf<[B, T] x f32, global> -> f32
            nest.fold %u into %a[] : f32 into !nest.acc<[] of max<f32>, reg>
          }

          %most = nest.finish %a[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %most in %r[%b, %p] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}

// -----

// CHECK: {{//}} -----
// A load that may be of none; and elements that another load asks for, too.
// CHECK: nest.buffer "s"
// CHECK: nest.load %s[%b, %p]
// CHECK: nest.buffer "t"
// CHECK: nest.load %t[%b_1, %place_1]
// CHECK: nest.load %t[%b_1, %zero_1]
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 512 : i64 per "B"
  }
  nest.kernel @k task "k" on "cpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, 16], f32>, %y: !mp.tensor<[B, T], f32>, %at: !mp.tensor<[B, 16], i32>, %r: !nest.buf<[B, 16] x f32, global>, %q: !nest.buf<[B] x f32, global>):
    %s = nest.buffer "s" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %four = arith.constant 4 : index
      %three = arith.constant 3 : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%n: index):
          %v = nest.read %y[%b, %n] : !mp.tensor<[B, T], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.store %w in %s[%b, %n] : f32, !nest.buf<[B, T] x f32, global>
        }
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%p: index):
          %a = nest.acc "a" : !nest.acc<[] of max<f32>, reg>
          %start = arith.muli %p, %four : index
          %left = arith.subi %length, %start : index
          %narrow = arith.minsi %left, %four : index
          nest.for %zero to %narrow step 1 : i64 most 4 : i64 {
          ^bb0(%m: index):
            %place = arith.addi %start, %m : index
            %in = arith.cmpi slt, %p, %length : index
                %u = nest.load %s[%b, %p] if %in : !nest.buf<[B, T] x f32, global> -> f32
            nest.fold %u into %a[] : f32 into !nest.acc<[] of max<f32>, reg>
          }

          %most = nest.finish %a[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %most in %r[%b, %p] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
    %t = nest.buffer "t" : !nest.buf<[B, T] x f32, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %end = arith.constant 16 : index
      %none = arith.constant 0.0 : f32
      %batch = mp.dim_size "B" : index
      %no = arith.constant false
      %four = arith.constant 4 : index
      %three = arith.constant 3 : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %length = mp.dim_size "T" per %b : index
        nest.for %zero to %length step 1 : i64 most 512 : i64 {
        ^bb0(%n: index):
          %v = nest.read %y[%b, %n] : !mp.tensor<[B, T], f32> -> f32
          %w = arith.mulf %v, %v : f32
          nest.store %w in %t[%b, %n] : f32, !nest.buf<[B, T] x f32, global>
        }
        nest.for %zero to %four step 1 : i64 most 4 : i64 {
        ^bb0(%p: index):
          %a = nest.acc "a" : !nest.acc<[] of max<f32>, reg>
          %start = arith.muli %p, %four : index
          %left = arith.subi %length, %start : index
          %narrow = arith.minsi %left, %four : index
          nest.for %zero to %narrow step 1 : i64 most 4 : i64 {
          ^bb0(%m: index):
            %place = arith.addi %start, %m : index
            %u = nest.load %t[%b, %place] : !nest.buf<[B, T] x f32, global> -> f32
            nest.fold %u into %a[] : f32 into !nest.acc<[] of max<f32>, reg>
          }
          %first = nest.load %t[%b, %zero] if %no : !nest.buf<[B, T] x f32, global> -> f32
          nest.store %first in %q[%b] : f32, !nest.buf<[B] x f32, global>
          %most = nest.finish %a[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %most in %r[%b, %p] : f32, !nest.buf<[B, 16] x f32, global>
        }
      }
    }
  }
}
