// RUN: hetc-opt -p mp-to-linalg %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 1024 : i64 per "B"
    mp.dim @P bound 64 : i64
    mp.dim @N bound 512 : i64 derived affine_map<(d0) -> (d0 * 8)> of ["P"]
    mp.declare @x "input" : <[B, 16], bf16>
    mp.declare @w "weight" : <[16, 4], f32>
    mp.declare @c "input" : <[N], f32>
    mp.declare @codes "input" : <[B, 6], ui8>
    mp.declare @keys "memory" : <[B, T, 4], f8E4M3FN>
    mp.declare @hist "memory" : <[N], f32>

    // Run-time dims first, then the tensors; lengths for a dim per another.
    // CHECK:      func.func @matmul(%B: index {hetc.name = "B"}, %T: tensor<?xi32> {hetc.name = "T"}, %P: index {hetc.name = "P"},
    // CHECK-SAME:   %x: tensor<?x16xbf16> {hetc.name = "x"}, %w: tensor<16x4xf32> {hetc.name = "w"}) -> tensor<?x4xf32> {
    // A reduction is a loop of the op, reads under projected permutations are its operands, cut to what is live.
    // CHECK:        [[FIRST:%.*]] = linalg.fill {{.*}} -> tensor<?x4xf32>
    // CHECK:        [[X:%.*]] = tensor.extract_slice %x[0, 0] [%B, 16] [1, 1]
    // CHECK:        [[Y:%.*]] = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>,
    // CHECK-SAME:     affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>],
    // CHECK-SAME:     iterator_types = ["parallel", "parallel", "reduction"]}
    // CHECK-SAME:     ins([[X]], %w : tensor<?x16xbf16>, tensor<16x4xf32>) outs([[FIRST]] : tensor<?x4xf32>) {
    // CHECK-NEXT:   ^bb0([[A:%.*]]: bf16, [[W:%.*]]: f32, [[SUM:%.*]]: f32):
    // CHECK-NEXT:     [[WIDE:%.*]] = arith.extf [[A]] : bf16 to f32
    // CHECK-NEXT:     [[PRODUCT:%.*]] = arith.mulf [[WIDE]], [[W]] : f32
    // CHECK-NEXT:     [[NEXT:%.*]] = arith.addf [[SUM]], [[PRODUCT]] : f32
    // CHECK-NEXT:     linalg.yield [[NEXT]] : f32
    // CHECK:        func.return [[Y]] : tensor<?x4xf32>
    mp.step @matmul grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[B, 16], bf16>
      %w = mp.get "w" : !mp.tensor<[16, 4], f32>
      %y = mp.compute [#mp.range<b in B>, #mp.range<e in 4>] {
      ^bb0(%b: index, %e: index):
        %s = mp.reduce "sum" <d in 16> {
        ^bb0(%d: index):
          %u = mp.read %x[%b, %d] : !mp.tensor<[B, 16], bf16> -> f32
          %v = mp.read %w[%d, %e] : !mp.tensor<[16, 4], f32> -> f32
          %m = arith.mulf %u, %v : f32
          mp.yield %m : f32
        } : f32
        mp.yield %s : f32
      } : !mp.tensor<[B, 4], f32>
      mp.output "y", %y as f32 : !mp.tensor<[B, 4], f32>
    } {explicit}

    // A block of a dim is read under an affine map; a shape operand says how long it is.
    // CHECK-LABEL: func.func @blocks
    // CHECK:        [[EIGHT:%.*]] = arith.constant 8 : index
    // CHECK:        [[N:%.*]] = arith.muli %P{{.*}}, [[EIGHT]] : index
    // CHECK:        [[C:%.*]] = tensor.extract_slice %c{{.*}}[0] [[[N]]] [1]
    // CHECK:        [[SHAPE:%.*]] = tensor.empty() : tensor<8xf32>
    // CHECK:        linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (((d0 * 8) + d1))>, affine_map<(d0, d1) -> (d1)>,
    // CHECK-SAME:     affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins([[C]], [[SHAPE]]
    // CHECK:          arith.maximumf
    mp.step @blocks grows {} pins {} {
      %c = mp.get "c" : !mp.tensor<[N], f32>
      %high = mp.compute [#mp.range<p in P>] {
      ^bb0(%p: index):
        %m = mp.reduce "max" <i in 8> {
        ^bb0(%i: index):
          %eight = arith.constant 8 : index
          %first = arith.muli %p, %eight : index
          %at = arith.addi %first, %i : index
          %v = mp.read %c[%at] : !mp.tensor<[N], f32> -> f32
          mp.yield %v : f32
        } : f32
        mp.yield %m : f32
      } : !mp.tensor<[P], f32>
      mp.output "high", %high as f32 : !mp.tensor<[P], f32>
    } {explicit}

    // An operand that is read under a condition is 0 where that fails.
    // CHECK-LABEL: func.func @guarded
    // CHECK:        linalg.generic
    // CHECK:        ^bb0([[V:%.*]]: f32, {{%.*}}: f32):
    // CHECK:          [[C:%.*]] = arith.cmpi sgt
    // CHECK:          arith.select [[C]], [[V]], {{%.*}} : f32
    mp.step @guarded grows {} pins {} {
      %w = mp.get "w" : !mp.tensor<[16, 4], f32>
      %o = mp.compute [#mp.range<d in 16>, #mp.range<e in 4>] {
      ^bb0(%d: index, %e: index):
        %c = arith.cmpi sgt, %d, %e : index
        %v = mp.read %w[%d, %e] if %c : !mp.tensor<[16, 4], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[16, 4], f32>
      mp.output "o", %o as f32 : !mp.tensor<[16, 4], f32>
    } {explicit}

    // Rows of their own lengths: nothing is computed past the end of one, and nothing is read where a condition fails.
    // CHECK-LABEL: func.func @ragged
    // CHECK:        linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
    // CHECK:          [[B:%.*]] = linalg.index 0 : index
    // CHECK:          [[T:%.*]] = linalg.index 1 : index
    // CHECK:          [[LENGTH:%.*]] = tensor.extract %T{{.*}}[[[B]]]
    // CHECK:          [[END:%.*]] = arith.index_cast [[LENGTH]] : i32 to index
    // CHECK:          [[INSIDE:%.*]] = arith.cmpi slt, [[T]], [[END]] : index
    // CHECK:          scf.if [[INSIDE]]
    // CHECK:            [[BEFORE:%.*]] = arith.subi [[T]]
    // CHECK:            [[THERE:%.*]] = arith.cmpi sge, [[BEFORE]]
    // CHECK:            scf.if [[THERE]] -> (f32) {
    // CHECK:              [[RAW:%.*]] = tensor.extract %keys{{.*}}[[[B]], [[BEFORE]], {{%.*}}] : tensor<?x?x4xf8E4M3FN>
    // CHECK:              [[V:%.*]] = arith.extf [[RAW]] : f8E4M3FN to f32
    // CHECK:              scf.yield [[V]] : f32
    // CHECK:            } else {
    mp.step @ragged grows {} pins {} {
      %keys = mp.get "keys" : !mp.tensor<[B, T, 4], f8E4M3FN>
      %o = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %one = arith.constant 1 : index
        %zero = arith.constant 0 : index
        %at = arith.subi %t, %one : index
        %there = arith.cmpi sge, %at, %zero : index
        %v = mp.read %keys[%b, %at, %zero] if %there : !mp.tensor<[B, T, 4], f8E4M3FN> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[B, T], f32>
      mp.output "o", %o as f32 : !mp.tensor<[B, T], f32>
    } {explicit}

    // A reduction over rows of their own lengths, and one inside of another, are loops in the body.
    // CHECK-LABEL: func.func @loops
    // CHECK:        linalg.generic
    // CHECK-SAME:     iterator_types = ["parallel"]
    // CHECK:          scf.for {{.*}} iter_args([[BEST:%.*]] = {{%.*}}, [[AT:%.*]] = {{%.*}}) -> (f32, i64) {
    // CHECK:            scf.for {{.*}} iter_args([[SUM:%.*]] = {{%.*}}) -> (f32) {
    // CHECK:              tensor.extract %keys
    // CHECK:              arith.addf [[SUM]]
    // CHECK:            arith.cmpf ogt, {{%.*}}, [[BEST]] : f32
    // CHECK:            arith.cmpi slt, [[AT]]
    mp.step @loops grows {} pins {} {
      %keys = mp.get "keys" : !mp.tensor<[B, T, 4], f8E4M3FN>
      %far = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %best = mp.reduce "argmax" <t in T> per %b {
        ^bb0(%t: index):
          %s = mp.reduce "sum" <d in 4> {
          ^bb0(%d: index):
            %v = mp.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 4], f8E4M3FN> -> f32
            mp.yield %v : f32
          } : f32
          mp.yield %s : f32
        } : index
        mp.yield %best : index
      } : !mp.tensor<[B], index>
      mp.output "far", %far as index : !mp.tensor<[B], index>
    } {explicit}

    // Presence is a select before the elements are combined; a mean carries how many there were.
    // CHECK-LABEL: func.func @means
    // CHECK:        linalg.generic
    // CHECK-SAME:     iterator_types = ["parallel", "reduction"]
    // CHECK-SAME:     outs({{%.*}}, {{%.*}} : tensor<?xf32>, tensor<?xi32>)
    // CHECK:          [[CODE:%.*]] = arith.extui {{%.*}} : i8 to i32
    // CHECK:          [[HERE:%.*]] = arith.cmpi sgt, [[CODE]]
    // CHECK:          [[V:%.*]] = arith.sitofp [[CODE]]
    // CHECK:          arith.select [[HERE]], [[V]], {{%.*}} : f32
    // CHECK-NEXT:     arith.addf
    // CHECK:        linalg.generic
    // CHECK:          arith.divf
    mp.step @means grows {} pins {} {
      %codes = mp.get "codes" : !mp.tensor<[B, 6], ui8>
      %m = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %mean = mp.reduce "mean" <j in 6> {
        ^bb0(%j: index):
          %c = mp.read %codes[%b, %j] : !mp.tensor<[B, 6], ui8> -> i32
          %zero = arith.constant 0 : i32
          %here = arith.cmpi sgt, %c, %zero : i32
          %v = arith.sitofp %c : i32 to f32
          mp.yield %v if %here : f32
        } : f32
        mp.yield %mean : f32
      } : !mp.tensor<[B], f32>
      mp.output "m", %m as f32 : !mp.tensor<[B], f32>
    } {explicit}

    // What upstream leaves undefined has mp's result: 0 for a division by 0. Narrow types saturate.
    // CHECK-LABEL: func.func @edges
    // CHECK:          [[BY:%.*]] = arith.extui
    // CHECK:          [[ZERO:%.*]] = arith.cmpi eq, [[BY]]
    // CHECK:          [[SAFE:%.*]] = arith.select {{%.*}}, {{%.*}}, [[BY]] : i32
    // CHECK:          arith.floordivsi {{%.*}}, [[SAFE]] : i32
    // CHECK:          [[Q:%.*]] = arith.select [[ZERO]]
    // CHECK:          [[LOW:%.*]] = arith.maxsi [[Q]]
    // CHECK:          [[FIT:%.*]] = arith.minsi [[LOW]]
    // CHECK:          arith.trunci [[FIT]] : i32 to i8
    // CHECK:          arith.constant -4.480000e+02 : f32
    // CHECK:          arith.maximumf
    // CHECK:          [[F:%.*]] = arith.minimumf
    // CHECK:          arith.truncf [[F]] : f32 to f8E4M3FN
    mp.step @edges grows {} pins {} {
      %codes = mp.get "codes" : !mp.tensor<[B, 6], ui8>
      %q = mp.compute [#mp.range<b in B>, #mp.range<j in 6>] {
      ^bb0(%b: index, %j: index):
        %by = mp.read %codes[%b, %j] : !mp.tensor<[B, 6], ui8> -> i32
        %many = arith.constant 1000 : i32
        %v = arith.floordivsi %many, %by : i32
        mp.yield %v : i32
      } : !mp.tensor<[B, 6], si8>
      %f = mp.compute [#mp.range<b in B>, #mp.range<j in 6>] {
      ^bb0(%b: index, %j: index):
        %by = mp.read %codes[%b, %j] : !mp.tensor<[B, 6], ui8> -> i32
        %v = arith.sitofp %by : i32 to f32
        mp.yield %v : f32
      } : !mp.tensor<[B, 6], f8E4M3FN>
      mp.output "q", %q as si8 : !mp.tensor<[B, 6], si8>
      mp.output "f", %f as f8E4M3FN : !mp.tensor<[B, 6], f8E4M3FN>
    } {explicit}

    // Rounds of the best that comes after the one before; an index order is made of them at the end.
    // CHECK-LABEL: func.func @selected
    // CHECK:        [[KEYS:%.*]] = linalg.generic
    // CHECK:          arith.cmpf ogt
    // CHECK:        scf.for {{.*}} iter_args({{.*}}) -> (tensor<?x3xi32>, tensor<?x3xf32>, tensor<?xf32>, tensor<?xi32>) {
    // CHECK:          linalg.generic
    // CHECK-SAME:       iterator_types = ["parallel", "reduction"]} ins([[KEYS]]
    // CHECK:          tensor.insert_slice
    // CHECK:        scf.for {{.*}} -> (tensor<?x3xi32>, tensor<?xi32>) {
    // CHECK:          arith.minsi
    mp.step @selected grows {} pins {} {
      %c = mp.get "c" : !mp.tensor<[N], f32>
      %x = mp.get "x" : !mp.tensor<[B, 16], bf16>
      %best, %scores = mp.topk 3 : i64 "index" [#mp.range<b in B>, #mp.range<d in 16>] {
      ^bb0(%b: index, %d: index):
        %v = mp.read %x[%b, %d] : !mp.tensor<[B, 16], bf16> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[B, 3], index>, !mp.tensor<[B, 3], f32>
      mp.output "best", %best as index : !mp.tensor<[B, 3], index>
    } {explicit}

    // Rows go to the end of a memory; with lengths of their own, to the end of each row.
    // CHECK-LABEL: func.func @appended
    // CHECK:        [[AT:%.*]] = arith.subi
    // CHECK:        [[HIST:%.*]] = tensor.insert_slice {{%.*}} into %hist{{.*}}[[[AT]]] [%P
    // CHECK:        [[KEYS:%.*]] = scf.for [[ROW:%.*]] = {{%.*}} to %B{{.*}} iter_args([[OLD:%.*]] = %keys
    // CHECK:          [[LENGTH:%.*]] = tensor.extract %T{{.*}}[[[ROW]]]
    // CHECK:          tensor.insert_slice {{%.*}} into [[OLD]][[[ROW]], {{%.*}}, 0] [1, 1, 4] [1, 1, 1] : tensor<1x4xf8E4M3FN>
    // CHECK:        func.return [[HIST]], [[KEYS]] : tensor<?xf32>, tensor<?x?x4xf8E4M3FN>
    mp.step @appended grows {N = #mp.dim<"P">, T = 1 : i64} pins {} {
      %hist = mp.get "hist" : !mp.tensor<[N], f32>
      %keys = mp.get "keys" : !mp.tensor<[B, T, 4], f8E4M3FN>
      %new = mp.compute [#mp.range<p in P>] {
      ^bb0(%p: index):
        %v = arith.constant 1.0 : f32
        mp.yield %v : f32
      } : !mp.tensor<[P], f32>
      %key = mp.compute [#mp.range<b in B>, #mp.range<d in 4>] {
      ^bb0(%b: index, %d: index):
        %v = arith.constant 1.0 : f32
        mp.yield %v : f32
      } : !mp.tensor<[B, 4], f8E4M3FN>
      %hist_1 = mp.append %hist, %new along "N" : !mp.tensor<[N], f32>, !mp.tensor<[P], f32> -> !mp.tensor<[N], f32>
      %keys_1 = mp.append %keys, %key along "T" : !mp.tensor<[B, T, 4], f8E4M3FN>, !mp.tensor<[B, 4], f8E4M3FN> -> !mp.tensor<[B, T, 4], f8E4M3FN>
      mp.commit "hist", %hist_1 : !mp.tensor<[N], f32>
      mp.commit "keys", %keys_1 : !mp.tensor<[B, T, 4], f8E4M3FN>
    } {explicit}
  }
}

// CHECK-NOT: mp.{{[a-z]}}
