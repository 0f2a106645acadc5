# The found network as MMPretrain's classifier. Without cells it is the plain binary ResNet. A child sets
# backbone.depth, backbone.cells, head.num_classes and the data preprocessor.
model = dict(
    type='nasbnn_det.BinaryClassifier',
    backbone=dict(type='nasbnn_det.NASBResNet', out_indices=(3, )),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
        topk=(1, )))
