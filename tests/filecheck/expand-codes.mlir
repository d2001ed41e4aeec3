// RUN: hetc-opt -p expand-codes %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[5], f32>
    mp.declare @m "memory" init 3 : i32 : <[2, 5], si4>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[5], f32>
      %m = mp.get "m" : !mp.tensor<[2, 5], si4>
      %q = mp.compute [#mp.range<d in 5>] {
      ^bb0(%d: index):
        %v = mp.read %x[%d] : !mp.tensor<[5], f32> -> f32
        %w = arith.fptosi %v : f32 to i32
        mp.yield %w : i32
      } {stage = "prepare"} : !mp.tensor<[5], si4>
      %zero = mp.compute [] {
        %z = arith.constant 0 : i32
        mp.yield %z : i32
      } {stage = "prepare"} : !mp.tensor<[], i32>
      %m1 = mp.scatter %m, %q at %zero {stage = "prepare"} : !mp.tensor<[2, 5], si4>, !mp.tensor<[5], si4>, !mp.tensor<[], i32> -> !mp.tensor<[2, 5], si4>
      %y = mp.compute [#mp.range<d in 5>] {
      ^bb0(%d: index):
        %one = arith.constant 1 : index
        %v = mp.read %m1[%one, %d] : !mp.tensor<[2, 5], si4> -> i32
        mp.yield %v : i32
      } {stage = "apply"} : !mp.tensor<[5], i32>
      mp.commit "m", %m1 : !mp.tensor<[2, 5], si4>
      mp.output "y", %y as i32 : !mp.tensor<[5], i32>
      mp.output "q", %q as si4 : !mp.tensor<[5], si4>
    }
  }
}

// Rows of 5 values are 3 bytes; a byte of the initial value holds it twice.
// CHECK:      mp.declare @m "memory" init 51 : i32 : <[2, 3], ui8, #mp.codes<si4 by 5>>
// CHECK:      %q = mp.compute [#mp.range<d in 3>] {
// CHECK:        %[[FIRST:.*]] = arith.muli %d, %{{.*}} : index
// CHECK-NEXT:   mp.read %x[%[[FIRST]]]
// CHECK:        arith.minsi
// CHECK:        arith.andi
// The sixth value of the last byte is none: it is read at the last place, and is 0.
// CHECK:        %[[IS:.*]] = arith.cmpi slt
// CHECK:        %[[AT:.*]] = arith.minsi
// CHECK:        mp.read %x[%[[AT]]]
// CHECK:        arith.select %[[IS]]
// CHECK:        arith.shli
// CHECK:        arith.ori
// CHECK:      } {stage = "prepare"} : !mp.tensor<[3], ui8, #mp.codes<si4 by 5>>
// CHECK:      mp.scatter %m, %q at %zero {{.*}} !mp.tensor<[2, 3], ui8, #mp.codes<si4 by 5>>, !mp.tensor<[3], ui8
// CHECK:        %[[BYTE:.*]] = mp.read %m1[%{{.*}}, %{{.*}}] : !mp.tensor<[2, 3], ui8, #mp.codes<si4 by 5>> -> i32
// CHECK-NEXT:   arith.shrsi %[[BYTE]]
// CHECK:        arith.andi
// CHECK:        arith.xori
// CHECK:        arith.subi {{.*}} {conversion, holds = si4}
// CHECK:      mp.output "q", %q as ui8 : !mp.tensor<[3], ui8, #mp.codes<si4 by 5>>
