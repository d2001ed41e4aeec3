// RUN: hetc-opt -p explicit-presence %s | filecheck %s
// RUN: hetc-opt -p explicit-presence,explicit-presence %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1024 : i64 per "B"
    mp.dim @NB bound 16 : i64 per "B" derived affine_map<(d0) -> (d0 ceildiv 64)> of ["T"]
    mp.declare @x "memory" : <[B, T, 16], bf16>
    mp.declare @s "input" : <[B, T], f32>
    mp.declare @tf "memory" : <[32, B], ui8, #mp.sparse<#builtin.int<1000>>>
    mp.declare @w "input" : <[B], f32>
    mp.step @p grows {T = 1 : i64} pins {} {
      %x = mp.get "x" : !mp.tensor<[B, T, 16], bf16>
      %s = mp.get "s" : !mp.tensor<[B, T], f32>
      %tf = mp.get "tf" : !mp.tensor<[32, B], ui8, #mp.sparse<#builtin.int<1000>>>
      %w = mp.get "w" : !mp.tensor<[B], f32>

      // A condition of the program, and a read that is in range: the condition alone is selected by.
      // CHECK:      %masked = mp.compute
      // CHECK-NEXT: ^bb0(%b: index, %t: index):
      // CHECK:        [[V:%.*]] = mp.read %s[%b, %t] :
      // CHECK:        [[C:%.*]] = arith.cmpf ogt, [[V]]
      // CHECK-NOT:    mp.guard
      // CHECK:        arith.select [[C]], [[V]]
      %masked = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
        %zero = arith.constant 0.0 : f32
        %c = arith.cmpf ogt, %v, %zero : f32
        %g = mp.guard %v if %c : f32
        mp.yield %g : f32
      } : !mp.tensor<[B, T], f32>

      // The producer's condition is cloned into the consumer.
      // CHECK:      mp.topk
      // CHECK:        [[V:%.*]] = mp.read %s[%{{b.*}}, %{{t.*}}] :
      // CHECK:        [[C:%.*]] = arith.cmpf ogt, [[V]]
      // CHECK-NEXT:   [[M:%.*]] = mp.read %masked[%{{b.*}}, %{{t.*}}] if [[C]]
      // CHECK-NEXT:   mp.yield [[M]] if [[C]] : f32
      %picked, %best = mp.topk 4 : i64 "any" [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %v = mp.read %masked[%b, %t] : !mp.tensor<[B, T], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[B, 4], index>, !mp.tensor<[B, 4], f32>

      // An unused entry of the selection is -1; its upper bound needs no test. The condition does not mention d and
      // leaves the reduction over it.
      // CHECK:      %near = mp.compute
      // CHECK:        [[I:%.*]] = mp.read %picked[%{{b.*}}, %j] :
      // CHECK-NEXT:   [[P:%.*]] = arith.cmpi sge, [[I]], %{{.*}} : index
      // CHECK-NEXT:   [[R:%.*]] = mp.reduce "sum" <d in 16> {
      // CHECK:          [[E:%.*]] = mp.read %x[%{{b.*}}, [[I]], %d] if [[P]]
      // CHECK-NEXT:     mp.yield [[E]] : f32
      // CHECK:        [[S:%.*]] = arith.select [[P]], [[R]], %{{.*}} : f32
      // CHECK-NEXT:   mp.yield [[S]] : f32
      %near = mp.compute [#mp.range<b in B>, #mp.range<j in 4>] {
      ^bb0(%b: index, %j: index):
        %r = mp.reduce "sum" <d in 16> {
        ^bb0(%d: index):
          %i = mp.read %picked[%b, %j] : !mp.tensor<[B, 4], index> -> index
          %v = mp.read %x[%b, %i, %d] : !mp.tensor<[B, T, 16], bf16> -> f32
          mp.yield %v : f32
        } : f32
        mp.yield %r : f32
      } : !mp.tensor<[B, 4], f32>

      // A reduction over j skips the absent.
      // CHECK:      %total = mp.compute
      // CHECK:        mp.reduce "mean" <j in 4>
      // CHECK:          [[P:%.*]] = arith.cmpi sge
      // CHECK:          mp.yield %{{.*}} if [[P]] : f32
      %total = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %r = mp.reduce "mean" <j in 4> {
        ^bb0(%j: index):
          %v = mp.read %near[%b, %j] : !mp.tensor<[B, 4], f32> -> f32
          mp.yield %v : f32
        } : f32
        mp.yield %r : f32
      } : !mp.tensor<[B], f32>

      // Blocks of 64: only the last one's tail needs a test; t // 64 needs none.
      // CHECK:      %blocks = mp.compute
      // CHECK:        [[N:%.*]] = mp.dim_size "T" per %{{b.*}} : index
      // CHECK:        mp.reduce "max" <i in 64>
      // CHECK:          [[P:%.*]] = arith.cmpi slt, %{{.*}}, [[N]] : index
      // CHECK:          mp.yield %{{.*}} if [[P]] : f32
      // CHECK:      %spread = mp.compute
      // CHECK:        mp.read %blocks[%{{b.*}}, %{{.*}}] : !mp.tensor<[B, NB], f32> -> f32
      %blocks = mp.compute [#mp.range<b in B>, #mp.range<n in NB per 0>] {
      ^bb0(%b: index, %n: index):
        %size = arith.constant 64 : index
        %r = mp.reduce "max" <i in 64> {
        ^bb0(%i: index):
          %first = arith.muli %n, %size : index
          %t = arith.addi %first, %i : index
          %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          mp.yield %v : f32
        } : f32
        mp.yield %r : f32
      } : !mp.tensor<[B, NB], f32>
      %spread = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %size = arith.constant 64 : index
        %n = arith.floordivsi %t, %size : index
        %v = mp.read %blocks[%b, %n] : !mp.tensor<[B, NB], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[B, T], f32>

      // A condition that contains a reduction becomes a statement of its own, in the same stage.
      // CHECK:      [[ANY:%.*]] = mp.compute [#mp.range<b in B>] {
      // CHECK:        mp.reduce "any"
      // CHECK:      } {stage = "apply"} : !mp.tensor<[B], i1>
      // CHECK:      %rare = mp.compute
      // CHECK:        mp.read [[ANY]][%{{b.*}}] :
      // CHECK:      %uses = mp.compute
      // CHECK-NEXT:   ^bb0
      // CHECK:        [[P:%.*]] = mp.read [[ANY]][%{{b.*}}] :
      // CHECK-NEXT:   [[BOTH:%.*]] = arith.andi %{{.*}}, [[P]]
      // CHECK-NEXT:   mp.read %rare[%{{b.*}}, %{{j.*}}] if [[BOTH]]
      %rare = mp.compute [#mp.range<b in B>, #mp.range<j in 4>] {
      ^bb0(%b: index, %j: index):
        %any = mp.reduce "any" <k in 4> {
        ^bb0(%k: index):
          %v = mp.read %near[%b, %k] : !mp.tensor<[B, 4], f32> -> f32
          %zero = arith.constant 0.0 : f32
          %c = arith.cmpf ogt, %v, %zero : f32
          mp.yield %c : i1
        } : i1
        %b4 = mp.read %best[%b, %j] : !mp.tensor<[B, 4], f32> -> f32
        %g = mp.guard %b4 if %any : f32
        mp.yield %g : f32
      } {stage = "apply"} : !mp.tensor<[B, 4], f32>
      %uses = mp.compute [#mp.range<b in B>, #mp.range<j in 4>] {
      ^bb0(%b: index, %j: index):
        %v = mp.read %rare[%b, %j] : !mp.tensor<[B, 4], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[B, 4], f32>

      // 0 * w is 0 at an unstored entry, and a sum skips those.
      // CHECK:      %score = mp.compute
      // CHECK:        mp.reduce "sum" <n in B>
      // CHECK:          [[F:%.*]], [[STORED:%.*]] = mp.read_stored
      // CHECK:          [[PRODUCT:%.*]] = arith.mulf
      // CHECK-NEXT:     [[TERM:%.*]] = arith.select [[STORED]], [[PRODUCT]], %{{.*}} : f32
      // CHECK-NEXT:     mp.yield [[TERM]] if [[STORED]] : f32
      %score = mp.compute [#mp.range<v in 32>] {
      ^bb0(%v: index):
        %r = mp.reduce "sum" <n in B> {
        ^bb0(%n: index):
          %f, %stored = mp.read_stored %tf[%v, %n] : !mp.tensor<[32, B], ui8, #mp.sparse<#builtin.int<1000>>> -> i32, i1
          %ff = arith.sitofp %f : i32 to f32
          %wn = mp.read %w[%n] : !mp.tensor<[B], f32> -> f32
          %product = arith.mulf %ff, %wn : f32
          mp.yield %product : f32
        } : f32
        mp.yield %r : f32
      } : !mp.tensor<[32], f32>

      // `present` is the condition itself, marked: it says of a pick that is none that there is none.
      // Of `or`, what only one side needs is needed unless the other side decides.
      // CHECK:      %told = mp.compute
      // CHECK:        [[P:%.*]] = arith.cmpi sge, %{{.*}}, %{{.*}} : index
      // CHECK:        [[HIGH:%.*]] = arith.cmpf ogt
      // CHECK:        [[S:%.*]] = arith.cmpf olt
      // CHECK:        [[CLAUSE:%.*]] = arith.ori [[P]], [[S]]
      // CHECK:        [[EITHER:%.*]] = arith.ori [[HIGH]], [[S]]
      // CHECK:        arith.select [[CLAUSE]], [[EITHER]]
      // CHECK:      %whether = mp.compute
      // CHECK:        [[P:%.*]] = arith.cmpi sge, %{{.*}}, %{{.*}} : index
      // CHECK-NEXT:   [[KNOWN:%.*]] = arith.andi [[P]], [[P]] {known}
      // CHECK-NEXT:   mp.yield [[KNOWN]] : i1
      %told = mp.compute [#mp.range<b in B>, #mp.range<j in 4>] {
      ^bb0(%b: index, %j: index):
        %v = mp.read %best[%b, %j] : !mp.tensor<[B, 4], f32> -> f32
        %one = arith.constant 1.0 : f32
        %high = arith.cmpf ogt, %v, %one : f32
        %wb = mp.read %w[%b] : !mp.tensor<[B], f32> -> f32
        %low = arith.cmpf olt, %wb, %one : f32
        %either = mp.or %high, %low
        mp.yield %either : i1
      } : !mp.tensor<[B, 4], i1>
      %whether = mp.compute [#mp.range<b in B>, #mp.range<j in 4>] {
      ^bb0(%b: index, %j: index):
        %v = mp.read %best[%b, %j] : !mp.tensor<[B, 4], f32> -> f32
        %p = mp.present %v : f32
        mp.yield %p : i1
      } : !mp.tensor<[B, 4], i1>
    }
  }
}
